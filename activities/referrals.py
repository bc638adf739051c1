"""Referral invites, told as activities of the contact who sent them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from activities import services, types
from contacts.models import ReferralInvite
from contacts.signals import referral_invite_completed, referral_invite_created

SOURCE = "referrals"


@receiver(referral_invite_created, dispatch_uid="activities.record_invite_created")
def record_created(sender: type[ReferralInvite], invite: ReferralInvite, **kwargs: Any) -> None:
    """An invite was sent."""
    _record(invite, types.REFERRAL_INVITE_CREATED, invite.created_at, {})


@receiver(referral_invite_completed, dispatch_uid="activities.record_invite_completed")
def record_completed(sender: type[ReferralInvite], invite: ReferralInvite, **kwargs: Any) -> None:
    """Whoever was invited came."""
    came = {"completedBy": invite.completed_by_id} if invite.completed_by_id else {}
    _record(invite, types.REFERRAL_INVITE_COMPLETED, invite.completed_at, came)


def _record(
    invite: ReferralInvite, type_: str, moment: datetime | None, data: dict[str, Any]
) -> None:
    assert moment is not None
    services.record(
        organisation=invite.organisation,
        contact=invite.contact_id,
        type=type_,
        source=SOURCE,
        happened_at=moment,
        external_reference=f"referral-invite-{invite.pk}",
        referral_invite=invite,
        data=data,
    )
