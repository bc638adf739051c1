"""Referral invites: sent by a contact, completed by whoever came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact, ReferralInvite, new_invite_code
from contacts.services import news
from contacts.services.profiles import redacted, refuse_foreign
from contacts.signals import referral_invite_completed, referral_invite_created
from crm.errors import Conflict

Status = ReferralInvite.Status
_ATTEMPTS = 5


@transaction.atomic
def create_invite(
    *,
    contact: Contact,
    email_address: str | None = None,
    code: str = "",
    status: str = Status.PENDING,
    completed_by: Contact | None = None,
) -> ReferralInvite:
    """Note that `contact` invited someone. A code is made when none is given.

    Sends `referral_invite_created`, and `referral_invite_completed` for one that is Completed
    already. Raises ValidationError by column; Conflict for a code that is taken.
    """
    if contact.redacted_at is not None:
        raise redacted(contact)
    invite = ReferralInvite(
        organisation_id=contact.organisation_id,
        contact=contact,
        email_address=(email_address or "").strip() or None,
        code=code.strip(),
    )
    invite.clean_fields(exclude=["organisation", "contact", "completed_by"])
    _save_new(invite)
    referral_invite_created.send(ReferralInvite, invite=invite)
    news.updated(contact.organisation, {contact.pk: {"referralInvites"}})
    if status != Status.PENDING:
        return update_invite(invite=invite, values={"status": status, "completed_by": completed_by})
    _refuse_completer(completed_by)
    return invite


def _save_new(invite: ReferralInvite) -> None:
    made = not invite.code
    for _attempt in range(_ATTEMPTS):
        if made:
            invite.code = new_invite_code()
        try:
            with transaction.atomic():
                invite.save(force_insert=True)
            return
        except IntegrityError:
            invite.pk = None
            invites = ReferralInvite.objects.filter(organisation=invite.organisation_id)
            taken = invites.filter(code=invite.code).values_list("pk", flat=True)
            if not made or not taken:
                raise Conflict(_("Another invite has this code."), list(taken)) from None
    raise Conflict(_("No free code was found. Try again."))


@transaction.atomic
def update_invite(*, invite: ReferralInvite, values: Mapping[str, Any]) -> ReferralInvite:
    """Change `status`, `completed_by`, `email_address` of an invite.

    Becoming Completed notes when, and sends `referral_invite_completed`. A completed one stays
    completed, since what it set off cannot be called back: Conflict.
    """
    invites = ReferralInvite.objects.filter(organisation=invite.organisation_id)
    current = invites.select_for_update(of=("self",)).select_related("contact").get(pk=invite.pk)
    was = current.status
    if "email_address" in values:
        current.email_address = (values["email_address"] or "").strip() or None
    if values.get("status") is not None:
        current.status = values["status"]
    if "completed_by" in values:
        current.completed_by = values["completed_by"]
    current.clean_fields(exclude=["organisation", "contact", "completed_by"])
    if was == Status.COMPLETED and current.status != was:
        raise Conflict(_("This invite is completed; that cannot be undone."), [current.pk])
    if current.status != Status.COMPLETED:
        _refuse_completer(current.completed_by)
    if current.completed_by is not None:
        refuse_foreign(current.contact, current.completed_by)
        if current.completed_by == current.contact:
            raise ValidationError(
                {
                    "completed_by": ValidationError(
                        _("Nobody completes their own invite."), code="own_invite"
                    )
                }
            )
    completed = current.status == Status.COMPLETED != was
    if completed:
        current.completed_at = timezone.now()
    current.save()
    if completed:
        referral_invite_completed.send(ReferralInvite, invite=current)
    return current


def _refuse_completer(completed_by: Contact | None) -> None:
    if completed_by is not None:
        raise ValidationError(
            {
                "completed_by": ValidationError(
                    _("Only an invite whose status is Completed was completed by someone."),
                    code="not_completed",
                )
            }
        )
