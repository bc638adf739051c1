"""Finding contacts: by what identifies them first, then by what is in their names.

Each look is a probe of an index, or ends after a page; at a million contacts all of them together
take some ten milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.translation import gettext as _

from activities.models import Activity, Booking, GolfReservation, TableReservation
from contacts import identity, misspelt
from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from crm.api.ordering import by
from crm.api.pagination import walks_of
from customfields.models import CustomField, CustomFieldValue
from desk.search import hits
from desk.search.hits import Hit
from integrations.models import Connection, ExternalId
from organisations.models import Organisation

MOST = 8
"""As many contacts are shown."""
ENOUGH = 3
"""With fewer than this, typing errors are looked for."""
_COMPARED = 50
_LONGEST = 255
_FEWEST_DIGITS = 5


def find(request: HttpRequest, organisation: Organisation, text: str) -> tuple[list[Hit], bool]:
    """The contacts that `text` may mean, the surest first; and whether the list of contacts has
    more when it is searched for the same."""
    found: dict[int, str] = {}
    for contact_id, why in _exactly(request, organisation, text[:_LONGEST]):
        found.setdefault(contact_id, why)
    contacts = Contact.objects.for_organisation(organisation)
    surely: list[Contact] = []
    reasons: dict[int, str] = {}
    if found:
        rows = contacts.defer("search_text").in_bulk(list(found)[:MOST])
        survivors = contacts.survivors(rows.values())
        for pk, survivor in survivors.items():
            if survivor.pk not in reasons:
                reasons[survivor.pk] = found[pk]
                surely.append(survivor)
    identified = any(_is_identified(one, text, organisation) for one in surely)
    likely = [] if identified else _by_name(contacts.current(), text)
    more = len(likely) == MOST
    if not surely and len(likely) < ENOUGH:
        likely += misspelt.near(contacts.current(), text, MOST)
    both = {contact.pk: contact for contact in [*surely, *likely]}
    shown = list(both.values())[:MOST]
    return [hits.of_contact(one, reasons.get(one.pk, "")) for one in shown], more


def _by_name(contacts: ContactQuerySet, text: str) -> list[Contact]:
    """By words of names, parts of e-mail addresses and phones in any spelling; those first whose
    words begin so. One or two letters are the beginning of a name or an address: more, no index
    could tell."""
    rows = contacts.defer("search_text")
    folded = identity.fold(text)
    if len(folded) < 3:
        return _beginning(rows, text.lower())
    (walk,) = walks_of(rows.search(text), by("-created_at"), rows)
    found = walk.some(_COMPARED)
    words = folded.split()

    def order(contact: Contact) -> int:
        name = identity.fold(contact.name)
        if name == folded:
            return 0
        if name.startswith(folded):
            return 1
        theirs = name.split()
        return 2 if all(any(its.startswith(word) for its in theirs) for word in words) else 3

    return sorted(found, key=order)[:MOST]


def _beginning(contacts: ContactQuerySet, text: str) -> list[Contact]:
    """Those whose name or e-mail address begins so, along two indexes."""
    end = text[:-1] + chr(min(ord(text[-1]) + 1, 0x10FFFF))
    named = contacts.annotate(lowered=Lower("name")).filter(lowered__gte=text, lowered__lt=end)
    mailed = contacts.filter(email_key__gte=text, email_key__lt=end).order_by("email_key")
    found = list(named.order_by("lowered", "id")[:MOST])
    return found if len(found) == MOST else [*found, *mailed[:MOST]]


def _exactly(
    request: HttpRequest, organisation: Organisation, text: str
) -> Iterator[tuple[int, str]]:
    """Contacts' ids by what is written exactly so, and what that is. Each look is one query."""
    contacts = Contact.objects.for_organisation(organisation)
    keys = Q()
    if "@" in text and " " not in text:
        keys |= Q(email_key=text.lower())
    if (phone := _phone(text, organisation)) is not None:
        keys |= Q(phone_number_e164=phone)
    if (number := text.removeprefix("#")).isascii() and number.isdecimal() and len(number) < 19:
        keys |= Q(pk=int(number))
    if keys:
        yield from ((pk, "") for pk in contacts.filter(keys).values_list("pk", flat=True)[:MOST])
    written = list(dict.fromkeys([text, text.upper()]))
    may = request.user.has_perm
    if may("activities.view_booking"):
        rows: Any = Booking.objects.for_organisation(organisation)
        rows = rows.filter(external_reference__in=written)
        yield from _because(rows, "external_reference", _("Booking %(what)s"))
    for model, said in (
        (TableReservation, _("Table reservation %(what)s")),
        (GolfReservation, _("Golf reservation %(what)s")),
    ):
        if may(f"activities.view_{model._meta.model_name}"):
            rows = model.objects.for_organisation(organisation)
            yield from _because(rows.filter(origin_reference__in=written), "origin_reference", said)
    if may("activities.view_activity"):
        rows = Activity.objects.for_organisation(organisation)
        rows = rows.filter(external_reference__in=written)
        yield from _because(rows, "external_reference", _("Activity %(what)s"))
    accounts = Connection.objects.for_organisation(organisation).values("namespace")
    rows = ExternalId.objects.for_organisation(organisation)
    rows = rows.filter(source__in=accounts, external_id__in=written)
    yield from _because(rows, "external_id", _("Id %(what)s in another system"))
    if may("customfields.view_customfield"):
        unique = CustomField.objects.for_organisation(organisation).active().filter(unique=True)
        rows = CustomFieldValue.objects.for_organisation(organisation)
        rows = rows.filter(field__in=unique.order_by().values("pk"), unique_key__in=written)
        for pk, label, key in rows.values_list("contact", "field__label", "unique_key")[:MOST]:
            yield pk, f"{label} {key}"


def _because(rows: Any, column: str, said: str) -> Iterator[tuple[int, str]]:
    for pk, what in rows.order_by().values_list("contact", column)[:MOST]:
        yield pk, said % {"what": what}


def _is_identified(contact: Contact, text: str, organisation: Organisation) -> bool:
    """Whether `text` is the whole e-mail address or phone number of this contact: no other's."""
    if "@" in text:
        return contact.email_key == text.lower()
    phone = _phone(text, organisation)
    return phone is not None and contact.phone_number_e164 == phone


def _phone(text: str, organisation: Organisation) -> str | None:
    """The number in E.164, when it is a whole one."""
    if sum(letter.isdigit() for letter in text) < _FEWEST_DIGITS:
        return None
    try:
        return identity.read_phone(text, None, organisation.country).e164
    except ValidationError:
        return None


def recalled(organisation: Organisation, ids: Sequence[int]) -> dict[int, Contact]:
    """Contacts of these ids that are still there, by id."""
    contacts = Contact.objects.for_organisation(organisation).current()
    return contacts.defer("search_text").in_bulk(ids)
