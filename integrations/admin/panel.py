"""A contact's ids at other systems, beside its timeline."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from contacts.admin import panels
from contacts.admin.panels import ContactPanel
from contacts.models import Contact

MOST = 50


class ExternalIdsPanel(ContactPanel):
    """By which ids other systems know the contact."""

    name = "external_ids"
    position = 30

    def beside(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        ids = list(contact.external_ids.order_by("source", "pk")[:MOST])
        if not ids:
            return ""
        return render_to_string("admin/integrations/external_ids.html", {"ids": ids}, request)

    def erased(self, contact: Contact) -> Sequence[str]:
        return [
            _(
                "Erased: what other systems delivered about the contact. Kept: their ids, so that "
                "late news of it is known and dropped."
            )
        ]

    def deleted(self, contact: Contact) -> Sequence[str]:
        return [_("The ids by which other systems know the contact are deleted.")]


panels.register(ExternalIdsPanel())
