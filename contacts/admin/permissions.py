"""Permissions on the contact's form, and beside its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSelectWidget

from contacts.admin import panels
from contacts.admin.panels import Compared, ContactPanel
from contacts.consent import KEY, UNKNOWN, Channel, Status
from contacts.models import Contact, ContactPermission
from contacts.permissions import outweighs

PREFIX = "permission_"
SOURCE = "admin"


class PermissionsPanel(ContactPanel):
    """What the contact may be sent."""

    name = "permissions"
    position = 5

    def form_fields(self, request: HttpRequest, contact: Contact | None) -> dict[str, forms.Field]:
        there = _by_channel(contact) if contact is not None else {}
        return {
            f"{PREFIX}{channel.value}": forms.ChoiceField(
                label=channel.label,
                choices=Status.choices,
                required=False,
                initial=there[channel].status if channel in there else UNKNOWN,
                widget=UnfoldAdminSelectWidget,
                help_text=_since(there.get(channel)),
            )
            for channel in Channel
        }

    def fieldsets(
        self, request: HttpRequest, contact: Contact | None
    ) -> Sequence[tuple[str | None, Mapping[str, Any]]]:
        names = tuple(f"{PREFIX}{channel.value}" for channel in Channel)
        return [(_("May be sent"), {"fields": [names]})]

    def values(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        given = {
            channel.value: {"status": changed[f"{PREFIX}{channel.value}"], "source": SOURCE}
            for channel in Channel
            if changed.get(f"{PREFIX}{channel.value}")
        }
        return {KEY: given} if given else {}

    def field_of(self, path: str) -> str | None:
        return path.replace(f"{KEY}.", PREFIX) if path.startswith(f"{KEY}.") else None

    def beside(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        there = _by_channel(contact)
        lines = [
            {
                "channel": channel.label,
                "status": _status(there.get(channel)),
                "said": Status(_status(there.get(channel))).label,
                "since": _since(there.get(channel)),
            }
            for channel in Channel
        ]
        return render_to_string("admin/contacts/consent.html", {"lines": lines}, request)

    def compare(self, survivor: Contact, absorbed: Contact) -> Sequence[Compared]:
        mine, theirs = _by_channel(survivor), _by_channel(absorbed)
        lines = []
        for channel in Channel:
            own, other = (_status(rows.get(channel)) for rows in (mine, theirs))
            if own != UNKNOWN or other != UNKNOWN:
                result = other if outweighs(other, own) else own
                told = (Status(one).label for one in (own, other, result))
                lines.append(Compared(_("May be sent: %s") % channel.label, *map(str, told)))
        return lines

    def erased(self, contact: Contact) -> Sequence[str]:
        return [_("Erased: what the contact agreed to be sent. Kept: that it unsubscribed.")]


def _by_channel(contact: Contact) -> dict[str, ContactPermission]:
    return {row.channel: row for row in contact.permissions.all()}


def _status(row: ContactPermission | None) -> str:
    return row.status if row is not None else UNKNOWN


def _since(row: ContactPermission | None) -> str:
    if row is None:
        return ""
    day = date_format(timezone.localtime(row.since))
    if row.source:
        return _("Since %(day)s, from: %(source)s") % {"day": day, "source": row.source}
    return _("Since %(day)s") % {"day": day}


panels.register(PermissionsPanel())
