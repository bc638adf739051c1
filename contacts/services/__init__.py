"""Writing contacts, tags and referral invites: every door calls these.

Each function is one transaction. What is wrong with a value is Django's `ValidationError` with a
dict of snake_case paths; what contradicts what is there is `crm.errors.Conflict`.
"""

from __future__ import annotations

from contacts.services.batches import upsert_batch
from contacts.services.invites import create_invite, update_invite
from contacts.services.merges import merge, unmerge
from contacts.services.profiles import delete, introduce, redact, update, upsert
from contacts.services.restoring import put_back
from contacts.services.tags import create_tag, delete_tag, tag, untag

__all__ = [
    "create_invite",
    "create_tag",
    "delete",
    "delete_tag",
    "introduce",
    "merge",
    "put_back",
    "redact",
    "tag",
    "unmerge",
    "untag",
    "update",
    "update_invite",
    "upsert",
    "upsert_batch",
]
