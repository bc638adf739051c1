"""How an organisation sends, and changing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.db import transaction

from organisations.models import Organisation
from workflows.messages.models import MessageSettings
from workflows.messages.quiet import QuietHours

CHANGEABLE = (
    "sender_name",
    "sender_email",
    "reply_to",
    "sms_sender",
    "locale",
    "send_to_unknown",
    "quiet_from",
    "quiet_to",
)


def of(organisation: Organisation) -> MessageSettings:
    """The organisation's settings; the defaults, not stored, when it has set nothing. One query."""
    found = MessageSettings.objects.for_organisation(organisation).first()
    return found or MessageSettings(organisation=organisation)


@transaction.atomic
def kept(organisation: Organisation) -> MessageSettings:
    """The same, stored. Two that ask at once get the same."""
    found, _created = MessageSettings.objects.for_organisation(organisation).get_or_create(
        organisation=organisation
    )
    found.organisation = organisation
    return found


@transaction.atomic
def change(*, organisation: Organisation, values: Mapping[str, Any]) -> MessageSettings:
    """Set some of `CHANGEABLE`. Raises ValidationError by field."""
    kept(organisation)
    current = MessageSettings.objects.for_organisation(organisation).select_for_update().get()
    current.organisation = organisation
    for name in CHANGEABLE:
        if name in values:
            value = values[name]
            setattr(current, name, " ".join(value.split()) if isinstance(value, str) else value)
    current.full_clean()
    current.save()
    return current


def locale(organisation: Organisation, chosen: MessageSettings) -> str:
    """The CLDR locale of the organisation's messages, by default the one most used in its country:
    `en_GB`, `fr_FR`, `de_CH`."""
    if chosen.locale:
        return chosen.locale
    try:
        return str(Locale.parse(f"und_{organisation.country}"))
    except (ValueError, UnknownLocaleError):
        return "en_GB"


def sender(organisation: Organisation, chosen: MessageSettings) -> tuple[str, str]:
    """The name and address that e-mail comes from."""
    return (
        chosen.sender_name or " ".join(organisation.name.split()),
        chosen.sender_email or settings.DEFAULT_FROM_EMAIL,
    )


def quiet_hours(chosen: MessageSettings) -> QuietHours | None:
    """The organisation's quiet hours, when it has any."""
    if chosen.quiet_from is None or chosen.quiet_to is None:
        return None
    return QuietHours(chosen.quiet_from, chosen.quiet_to)
