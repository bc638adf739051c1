"""Who a contact may be the same as, above its timeline."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from contacts.admin import panels
from contacts.admin.panels import ContactPanel
from contacts.duplicates import possible_duplicates_of
from contacts.models import Contact

MOST = 3


class AlikePanel(ContactPanel):
    """The likeliest possible duplicates, each with why."""

    name = "alike"
    position = 30

    def now(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        if not request.user.has_perm("contacts.view_duplicatepair"):
            return ""
        found = [
            (pair, pair.other(contact), pair.why) for pair in possible_duplicates_of(contact, MOST)
        ]
        if not found:
            return ""
        return render_to_string("admin/contacts/alike.html", {"found": found}, request)


panels.register(AlikePanel())
