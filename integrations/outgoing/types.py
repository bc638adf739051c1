"""What an endpoint can be told of."""

from __future__ import annotations

CONTACT_CREATED = "contact.created"
CONTACT_UPDATED = "contact.updated"
CONTACT_DELETED = "contact.deleted"
CONTACT_MERGED = "contact.merged"
CONTACT_REDACTED = "contact.redacted"
ACTIVITY_CREATED = "activity.created"
ACTIVITY_UPDATED = "activity.updated"
ACTIVITY_DELETED = "activity.deleted"
SEGMENT_ENTERED = "segment.entered"
SEGMENT_LEFT = "segment.left"
CREDIT_GRANTED = "credit.granted"
CREDIT_REDEEMED = "credit.redeemed"
RUN_FAILED = "workflow.run.failed"

EVENT_TYPES = (
    CONTACT_CREATED,
    CONTACT_UPDATED,
    CONTACT_DELETED,
    CONTACT_MERGED,
    CONTACT_REDACTED,
    ACTIVITY_CREATED,
    ACTIVITY_UPDATED,
    ACTIVITY_DELETED,
    SEGMENT_ENTERED,
    SEGMENT_LEFT,
    CREDIT_GRANTED,
    CREDIT_REDEEMED,
    RUN_FAILED,
)
