"""The JSON of credit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from contacts.models import Contact
from contacts.rules import durations
from crm.api.serializers import CharField, DateTimeField, IntegerField, Serializer
from rewards.models import MAX_AMOUNT, CreditEntry
from rewards.services import Statement


class EntrySerializer(Serializer):
    """One line of a contact's ledger; it never changes."""

    id = IntegerField(read_only=True)
    contact = IntegerField(read_only=True)
    kind = serializers.ChoiceField(CreditEntry.Kind.choices, read_only=True)
    amount = IntegerField(read_only=True, help_text=_("Negative for what was taken."))
    currency_code = CharField(read_only=True)
    expires_at = DateTimeField(read_only=True, allow_null=True)
    external_reference = CharField(read_only=True, allow_null=True)
    reason = CharField(read_only=True)
    reverses = IntegerField(
        read_only=True, allow_null=True, help_text=_("The redemption that it takes back.")
    )
    staff = IntegerField(read_only=True, allow_null=True)
    api_key = IntegerField(read_only=True, allow_null=True)
    workflow_run = IntegerField(read_only=True, allow_null=True)
    created_at = DateTimeField(read_only=True)


class WrittenEntrySerializer(EntrySerializer):
    """An entry, and what the contact can spend now."""

    balances = serializers.DictField(child=IntegerField(), read_only=True)


class ExpiringSerializer(Serializer):
    """What is left of a grant that will expire."""

    amount = IntegerField(read_only=True)
    currency_code = CharField(read_only=True)
    expires_at = DateTimeField(read_only=True)


class CreditSerializer(Serializer):
    """What a contact can spend, what of it will expire, and a page of the ledger, newest first."""

    balances = serializers.DictField(child=IntegerField(), read_only=True)
    expiring = ExpiringSerializer(many=True, read_only=True)
    entries = EntrySerializer(many=True, read_only=True)


class RedeemSerializer(Serializer):
    """What is spent."""

    amount = IntegerField(
        min_value=1, max_value=MAX_AMOUNT, help_text=_("In the currency's smallest unit.")
    )
    currency_code = CharField(
        min_length=3,
        max_length=3,
        required=False,
        allow_null=True,
        help_text=_("By default the organisation's."),
    )
    reason = CharField(max_length=255, required=False, allow_blank=True)
    external_reference = CharField(
        max_length=255,
        required=False,
        allow_null=True,
        help_text=_("The same one again is the same redemption, or grant, and is done once."),
    )


class GrantSerializer(RedeemSerializer):
    """What is given."""

    expires_at = DateTimeField(required=False, allow_null=True)
    expires_after = CharField(
        max_length=100, required=False, allow_null=True, help_text=_("A duration, such as P90D.")
    )

    def for_contact(self, contact: Contact) -> dict[str, Any]:
        """What the service wants. A duration is by the contact's clock. Raises ValidationError."""
        values = dict(self.validated_data)
        duration = values.pop("expires_after", None)
        if duration is None:
            return values
        if values.get("expires_at") is not None:
            raise ValidationError(
                {"expires_after": ValidationError(_("Give one of the two."), code="ambiguous")}
            )
        return {**values, "expires_at": _after(duration, contact)}


class ReverseSerializer(Serializer):
    """Why a redemption is taken back."""

    reason = CharField(max_length=255, required=False, allow_blank=True)


def _after(text: str, contact: Contact) -> datetime:
    try:
        duration = durations.parse(text)
    except ValidationError as error:
        raise ValidationError({"expires_after": error}) from None
    zone = ZoneInfo(contact.timezone or contact.organisation.timezone)
    return duration.after(timezone.now(), zone)


def represent(entry: CreditEntry) -> dict[str, Any]:
    """An entry as it is told."""
    return {
        "id": entry.pk,
        "contact": entry.contact_id,
        "kind": entry.kind,
        "amount": entry.amount,
        "currencyCode": entry.currency_code,
        "expiresAt": entry.expires_at,
        "externalReference": entry.external_reference,
        "reason": entry.reason,
        "reverses": entry.reverses_id,
        "staff": entry.staff_id,
        "apiKey": entry.key_id,
        "workflowRun": entry.run,
        "createdAt": entry.created_at,
    }


def represent_credit(statement: Statement, entries: Sequence[CreditEntry]) -> dict[str, Any]:
    """A contact's credit as it is told."""
    return {
        "balances": statement.balances,
        "expiring": [
            {
                "amount": lot.left,
                "currencyCode": lot.currency_code,
                "expiresAt": lot.expires_at,
            }
            for lot in statement.expiring
        ],
        "entries": [represent(entry) for entry in entries],
    }
