"""What permissions add to a contact: a JSON key, a filter, and their share of merges and the like.

`contacts.details` reads them with the rest of a page; `contacts.consent` writes them.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from contacts import consent
from contacts.consent import KEY, UNKNOWN, UNSUBSCRIBED, Channel, Status, Wanted
from contacts.models import Contact, ContactPermission, Merge, MergedRow
from contacts.parts import ContactPart
from contacts.querysets import ContactQuerySet
from crm.api.serializers import CharField, DateTimeField, Serializer
from organisations.models import Organisation

LONGEST_SOURCE = 100
AHEAD = datetime.timedelta(minutes=5)
"""So much may a source's clock be ahead of ours, as with activities."""


class PermissionSerializer(Serializer):
    """A permission."""

    status = CharField()
    since = DateTimeField(required=False, allow_null=True)
    source = CharField(required=False, allow_null=True, allow_blank=True)  # type: ignore[assignment]  # the key is the API's, not DRF's attribute


class PermissionsField(serializers.Field[Any, Any, Any, Any]):
    """Permissions by channel: as they are told, or just the status of each."""

    default_error_messages = {"not_an_object": _("Give an object with a key for each channel.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            self.fail("not_an_object")
        read: dict[str, Any] = {}
        errors = {}
        for channel, given in data.items():
            if not isinstance(given, Mapping):
                read[channel] = given
                continue
            serializer = PermissionSerializer(data=given)
            if serializer.is_valid():
                read[channel] = dict(serializer.validated_data)
            else:
                errors[channel] = serializer.errors
        if errors:
            raise serializers.ValidationError(errors)
        return read

    def to_representation(self, value: Any) -> Any:
        return value


class PermissionsFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Objects in answers; objects or statuses in requests."""

    target_class = PermissionsField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """The field's JSON schema in one direction."""
        status = {"type": "string", "enum": Status.values}
        whole: dict[str, Any] = {
            "type": "object",
            "properties": {
                "status": status,
                "since": {"type": ["string", "null"], "format": "date-time"},
                "source": {"type": ["string", "null"], "maxLength": LONGEST_SOURCE},
            },
            "required": ["status"] if direction == "request" else ["since", "source", "status"],
            "additionalProperties": False,
        }
        one = {"anyOf": [status, whole, {"type": "null"}]} if direction == "request" else whole
        schema = {
            "type": "object",
            "properties": dict.fromkeys(Channel.values, one),
            "additionalProperties": False,
        }
        if direction == "response":
            schema["required"] = sorted(Channel.values)
        return schema


class PermissionsPart(ContactPart):
    """`permissions` of a contact: `{"email": {"status": "subscribed", …}, "sms": {…}}`."""

    name = "permissions"

    def fields(self) -> Mapping[str, serializers.Field[Any, Any, Any, Any]]:
        return {KEY: PermissionsField(required=False, allow_null=True)}

    # Writing.

    def clean(
        self, organisation: Organisation, contact: Contact | None, given: Mapping[str, Any]
    ) -> dict[str, Wanted]:
        """By channel: a status; a mapping of `status`, `source` and `since`; None, which is
        unknown; or a `Wanted`. A channel that is not named stays as it is."""
        wanted = {}
        errors = {}
        for channel, said in (given.get(KEY) or {}).items():
            try:
                wanted[channel] = _wanted(channel, said)
            except ValidationError as error:
                errors[f"{KEY}.{channel}"] = error
        if errors:
            raise ValidationError(errors)
        return wanted

    def write(self, contact: Contact, cleaned: Mapping[str, Wanted]) -> bool:
        return bool(consent.write([(contact, cleaned)]))

    def write_many(self, rows: Sequence[tuple[Contact, Mapping[str, Wanted]]]) -> set[int]:
        return consent.write(rows)

    # Merging. Who unsubscribed as either is not written to; what the survivor lacks it takes from
    # the other, whose own rows stay as they were.

    def merge(self, merge: Merge) -> None:
        mine, theirs = _by_channel(merge.survivor), _by_channel(merge.absorbed)
        changes = consent.Changes()
        noted = []
        for channel, other in theirs.items():
            own = mine.get(channel)
            if not outweighs(other.status, own.status if own else UNKNOWN):
                continue
            was = _as_json(own) if own else None
            wanted = Wanted(Status(other.status), other.source, other.since)
            noted.append((changes.put(merge.survivor, channel, own, wanted, "merge"), was))
        changes.save()
        MergedRow.objects.bulk_create(
            MergedRow(
                merge=merge,
                part=self.name,
                row_id=row.pk,
                before={"was": was, "became": _as_json(row)},
            )
            for row, was in noted
        )

    def unmerge(self, merge: Merge) -> None:
        """Put back what is as the merge left it. Who unsubscribed since may have been either, so
        neither is written to."""
        mine, theirs = _by_channel(merge.survivor), _by_channel(merge.absorbed)
        rows = MergedRow.objects.filter(merge=merge, part=self.name)
        noted: dict[int, Any] = {row.row_id: row.before for row in rows}
        changes = consent.Changes()
        for channel, own in mine.items():
            other = theirs.get(channel)
            then = noted.get(own.pk)
            unsubscribed = other is not None and other.status == UNSUBSCRIBED
            if then is not None and then["became"] == _as_json(own):
                if then["was"] is None:
                    changes.take(own, "unmerge")
                else:
                    changes.put(merge.survivor, channel, own, _from_json(then["was"]), "unmerge")
            elif own.status == UNSUBSCRIBED and own.since >= merge.created_at and not unsubscribed:
                wanted = Wanted(UNSUBSCRIBED, own.source, own.since)
                changes.put(merge.absorbed, channel, other, wanted, "unmerge")
        changes.save()

    def redact(self, contact: Contact) -> None:
        """Who unsubscribed stays so: that is nobody's personal data, and nobody shall be written
        to by mistake. The rest goes, and where all of it was from."""
        contact.permissions.exclude(status=UNSUBSCRIBED).delete()
        contact.permissions.update(source="")
        contact.permission_changes.update(source="")
        merges = Merge.objects.for_organisation(contact.organisation_id).filter(survivor=contact)
        MergedRow.objects.filter(merge__in=merges, part=self.name).delete()

    def erase(self, contact: Contact) -> None:
        for rows in (contact.permissions.all(), contact.permission_changes.all()):
            rows._raw_delete(rows.db)

    # The list.

    def parameters(self) -> Sequence[Mapping[str, Any]]:
        status = {"type": "string", "enum": Status.values}
        return [
            {
                "name": KEY,
                "description": gettext_lazy("By a permission: permissions[email]=unsubscribed."),
                "schema": {
                    "type": "object",
                    "properties": dict.fromkeys(Channel.values, status),
                    "additionalProperties": False,
                },
                "style": "deepObject",
                "explode": True,
            }
        ]

    def claims(self, parameter: str) -> bool:
        return parameter == KEY or parameter.startswith(f"{KEY}[")

    def narrow(
        self,
        contacts: ContactQuerySet,
        organisation: Organisation,
        parameters: Mapping[str, Sequence[str]],
    ) -> ContactQuerySet:
        channels = {f"{KEY}[{channel}]": channel for channel in Channel.values}
        for parameter, values in parameters.items():
            if parameter not in channels:
                message = _("Write it as one of: %(names)s.") % {"names": ", ".join(channels)}
                raise ValidationError({parameter: ValidationError(message, "unknown_parameter")})
            for status in values:
                if status not in Status.values:
                    raise ValidationError({parameter: _not_a_status()})
                contacts = _having(contacts, organisation, channels[parameter], status)
        return contacts


def _wanted(channel: str, said: Any) -> Wanted:
    """Raises ValidationError."""
    if channel not in Channel.values:
        raise ValidationError(
            _("Use one of: %(choices)s."),
            code="unknown_field",
            params={"choices": ", ".join(Channel.values)},
        )
    if said is None:
        return Wanted(UNKNOWN)
    if isinstance(said, Wanted):
        return said
    if not isinstance(said, Mapping):
        said = {"status": said}
    status, source, since = said.get("status"), said.get("source") or "", said.get("since")
    if status not in Status.values:
        raise _not_a_status()
    if len(source) > LONGEST_SOURCE:
        raise ValidationError(
            _("A source has at most %(most)d characters."),
            code="max_length",
            params={"most": LONGEST_SOURCE},
        )
    if since is not None and since > timezone.now() + AHEAD:
        raise ValidationError(_("This time is ahead of now."), code="in_the_future")
    return Wanted(Status(status), source.strip(), since)


def _not_a_status() -> ValidationError:
    return ValidationError(
        _("Use one of: %(choices)s."),
        code="invalid_choice",
        params={"choices": ", ".join(Status.values)},
    )


def _having(
    contacts: ContactQuerySet, organisation: Organisation, channel: str, status: str
) -> ContactQuerySet:
    rows = ContactPermission.objects.for_organisation(organisation).filter(channel=channel)
    if status == UNKNOWN:
        known = rows.exclude(status=UNKNOWN).filter(contact=OuterRef("pk"))
        return contacts.exclude(Exists(known))
    return contacts.filter(pk__in=rows.filter(status=status).values("contact"))


def outweighs(status: str, other: str) -> bool:
    """Whether the first is to be kept of two permissions of what is the same person."""
    return status != other and (status == UNSUBSCRIBED or other == UNKNOWN)


def _by_channel(contact: Contact) -> dict[str, ContactPermission]:
    return {row.channel: row for row in contact.permissions.all()}


def _as_json(row: ContactPermission) -> dict[str, Any]:
    return {"status": row.status, "since": row.since.isoformat(), "source": row.source}


def _from_json(was: Mapping[str, Any]) -> Wanted:
    since = datetime.datetime.fromisoformat(was["since"])
    return Wanted(Status(was["status"]), was["source"], since)
