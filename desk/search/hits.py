"""What a search finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse

from contacts.models import Contact


@dataclass(frozen=True, slots=True)
class Hit:
    """A line of the palette. `key` finds it again later (`answering.recall`)."""

    key: str
    title: str
    detail: str
    href: str
    icon: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def of_contact(contact: Contact, why: str = "") -> Hit:
    """A contact, and by what it was found where that is not to be seen."""
    reached = [contact.email_address, contact.phone_number]
    known = [one for one in (why, *reached) if one and one != str(contact)]
    return Hit(
        key=f"contact-{contact.pk}",
        title=str(contact),
        detail=" · ".join(known),
        href=reverse("admin:contacts_contact_change", args=[contact.pk]),
        icon="domain" if contact.kind == Contact.Kind.BUSINESS else "person",
    )
