"""What a tighter rule would mean, in the form of a custom field and as a list."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts.models import Contact
from crm.admin.forms import Refused
from customfields import impact, patterns
from customfields.impact import Impact
from customfields.models import CustomField, CustomFieldValue
from customfields.querysets import HeldValue
from customfields.types import TYPES

if TYPE_CHECKING:
    from customfields.admin.definitions import CustomFieldAdmin

ACCEPT = "accept_impact"
SHOWN = 1000
_BOUNDS = ("minimum", "maximum")


class Broken(ValidationError):
    """Contacts break the rules that were typed in, which has not been accepted."""

    def __init__(self, draft: CustomField, impacts: list[Impact]) -> None:
        super().__init__({one.rule: [ValidationError(said(one), code="impact")] for one in impacts})
        self.draft = draft
        self.impacts = impacts


def said(one: Impact) -> str:
    """`37 contacts would break it.`"""
    number = f"{one.number:,}+" if one.capped else f"{one.number:,}"
    text = ngettext(
        "%(number)s contact would break it.", "%(number)s contacts would break it.", one.number
    ) % {"number": number}
    if one.partly:
        text += " " + _("Only the first %(number)s values were tried.") % {
            "number": f"{impact.LOOKED_AT:,}"
        }
    return text


def refuse_unaccepted(field: CustomField, values: dict[str, Any], accepted: bool) -> None:
    """Raise `Broken` when `values` set a rule that contacts break, unless that was accepted. Rules
    that the service refuses are left to it."""
    if accepted:
        return
    draft = copy(field)
    for name in (*_BOUNDS, "pattern"):
        if name in values:
            setattr(draft, name, values[name])
    broken = [one for one in impact.of(field, draft) if not one.is_refused]
    if broken:
        raise Broken(draft, broken)


def read(field: CustomField, told: QueryDict) -> tuple[CustomField, list[str]]:
    """The field as the address describes it, and the options that would go. What cannot be read is
    left as it is: the form says what is wrong with it."""
    draft = copy(field)
    for name in ("required", "unique"):
        setattr(draft, name, name in told)
    for name in _BOUNDS:
        try:
            text = told.get(name)
            setattr(draft, name, TYPES["Number"].parse(text, field) if text else None)
        except ValidationError:
            setattr(draft, name, None)
    draft.pattern = told.get("pattern", "")[:300]
    try:
        if draft.pattern:
            patterns.check(draft.pattern)
    except ValidationError:
        draft.pattern = ""
    return draft, told.getlist("gone")[:1000]


def show(admin: CustomFieldAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Whom the rules in the address would concern: a few lines for a script in the form, or a page
    with the contacts."""
    field: CustomField = admin.existing(request, object_id)
    draft, gone = read(field, request.GET)
    found = impact.of(field, draft, gone)
    if request.headers.get("X-Requested-With") == "fetch":
        return render(
            request, "admin/customfields/impact.html", context(admin, field, found, draft)
        )
    return TemplateResponse(
        request,
        "admin/customfields/impact_page.html",
        {
            **admin.admin_site.each_context(request),
            "opts": admin.opts,
            "original": field,
            "title": _("Contacts that would break the rules of %(field)s") % {"field": field},
            "parts": [(one, *_words(one, draft), _lines(field, one)) for one in found],
            "shown": SHOWN,
            "back": admin.url("change", field.pk),
        },
    )


def context(
    admin: CustomFieldAdmin, field: CustomField, found: list[Impact], draft: CustomField
) -> dict[str, Any]:
    """For the lines in the form."""
    told = QueryDict(mutable=True)
    for name in ("required", "unique"):
        if getattr(draft, name):
            told[name] = "on"
    for name in (*_BOUNDS, "pattern"):
        if (value := getattr(draft, name)) not in (None, ""):
            told[name] = str(value)
    page = admin.url("impact", field.pk)
    return {
        "impacts": [(one, *_words(one, draft)) for one in found],
        "impact_page": f"{page}?{told.urlencode()}",
        "acceptable": bool(found) and not any(one.is_refused for one in found),
        "accept": ACCEPT,
    }


def of_refused(
    admin: CustomFieldAdmin, refused: Refused | None, field: CustomField
) -> dict[str, Any]:
    """For a form that comes back because of `Broken`; nothing for any other."""
    error = refused.__cause__ if refused is not None else None
    return context(admin, field, error.impacts, error.draft) if isinstance(error, Broken) else {}


def _words(one: Impact, draft: CustomField) -> tuple[str, str]:
    """The rule as people say it, and how many break it."""
    rules = {
        "required": _("Required"),
        "unique": _("Unique"),
        "minimum": _("Minimum"),
        "maximum": _("Maximum"),
        "pattern": _("Pattern"),
        "options": _("Options removed"),
    }
    return rules[one.rule], said(one)


def _lines(field: CustomField, one: Impact) -> list[tuple[Contact, str]]:
    """The first contacts, with what they have. Two queries."""
    contacts = Contact.objects.filter(organisation=field.organisation_id)
    first = contacts.in_bulk(one.contacts[:SHOWN])
    values = _values_of(field, first)
    return [(first[pk], values.get(pk, "")) for pk in one.contacts[:SHOWN] if pk in first]


def _values_of(field: CustomField, contacts: dict[int, Contact]) -> dict[int, str]:
    rows = CustomFieldValue.objects.filter(
        organisation=field.organisation_id, field=field, contact__in=contacts
    )
    by_contact: dict[int, list[Any]] = {}
    for row in rows.with_field():
        by_contact.setdefault(row.contact_id, []).append(row)
    return {pk: HeldValue(held).display for pk, held in by_contact.items()}
