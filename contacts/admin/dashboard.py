"""The contacts' share of the first page."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest

from contacts.models import Contact
from crm.admin.site import DASHBOARD
from organisations.middleware import organisation_of
from organisations.models import Organisation


def latest_contacts(request: HttpRequest) -> dict[str, Any]:
    """The newest ten."""
    if not request.user.has_perm("contacts.view_contact"):
        return {}
    organisation = cast(Organisation, organisation_of(request))
    contacts = Contact.objects.for_organisation(organisation).current()
    return {"latest_contacts": list(contacts.order_by("-created_at", "-id")[:10])}


DASHBOARD.append(latest_contacts)
