"""The page of one contact: who this is, what matters now, what happened, and the form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from contacts import rfm, services
from contacts.admin import composing, entries
from contacts.admin.panels import PANELS, Figure
from contacts.models import Contact, Merge, Tag
from contacts.services.tags import MANAGED
from crm import money
from crm.admin.forms import as_text
from organisations.middleware import organisation_of
from organisations.models import Organisation

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin

MOST_MERGES = 50
MOST_TAGS = 500
"""As many tags are suggested."""
# Said at the top of the page already.
_AT_THE_TOP = {
    "kind",
    "first_name",
    "last_name",
    "name",
    "email_address",
    "phone_number",
    "phone_number_country_code",
    "tags",
    "new_tags",
}


class ShownTag(NamedTuple):
    """A tag on the contact; one that follows a rule is not taken off by hand."""

    name: str
    kind: str
    removable: bool


class Fact(NamedTuple):
    """What is known of the contact, as the form has it."""

    label: str
    text: str


class Facts(NamedTuple):
    """The facts under one of the form's headings."""

    title: str
    facts: list[Fact]


def urls(screen: ContactAdmin) -> list[URLPattern]:
    """Where the page's parts are."""

    def part(name: str, view: Any) -> URLPattern:
        def asked(request: HttpRequest, object_id: int) -> HttpResponse:
            contact = found(request, object_id)
            if not screen.has_view_permission(request, contact):
                raise PermissionDenied
            return cast(HttpResponse, view(screen, request, contact))

        address = f"contacts_contact_{name}"
        wrapped: Any = screen.admin_site.admin_view(asked)
        made: URLPattern = path(f"<int:object_id>/{name}/", wrapped, name=address)
        return made

    return [part("live", _live), part("timeline", _timeline), part("tags", _tags)]


def found(request: HttpRequest, pk: int) -> Contact:
    """The contact, or what it was merged into: it may have happened since the page was opened.
    Raises Http404 for another organisation's."""
    organisation = organisation_of(request)
    if organisation is None or pk >= 2**63:
        raise Http404
    contacts = Contact.objects.for_organisation(organisation).select_related("rollup")
    try:
        contact = contacts.resolve(pk)
    except Contact.DoesNotExist as error:
        raise Http404 from error
    contact.organisation = organisation
    return contact


# The parts.


def context(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """All but the form: the same number of queries whatever the contact's past."""
    return {
        **_parts(screen, request, contact),
        **entries.shown(screen, request, contact),
        "composers": _composers(request, contact),
        "stylesheets": [one for panel in PANELS for one in panel.stylesheets],
        "live_url": screen.url("live", contact.pk),
        "opened": "details" if _wants_form(request) else "timeline",
    }


def _wants_form(request: HttpRequest) -> bool:
    """Whether the form is what to see: it was asked for, or it was sent and has errors."""
    return request.method == "POST" or request.GET.get("tab") == "details"


def _parts(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """What may be another after something was written."""
    may_change = screen.has_change_permission(request, contact)
    return {
        "contact": contact,
        "initials": initials(contact),
        "words": rfm.words_for(
            contact.rollup.recency, contact.rollup.frequency, contact.rollup.monetary
        ),
        "segment": rfm.segment_of(contact.rollup.recency, contact.rollup.frequency),
        "figures": [
            *figures(screen, contact),
            *(figure for panel in PANELS for figure in panel.figures(request, contact)),
        ],
        "tags": [
            ShownTag(tag.name, tag.kind, may_change and tag.kind not in MANAGED)
            for tag in contact.tags.order_by("name")
        ],
        "tags_url": screen.url("tags", contact.pk) if may_change else "",
        "now": [html for panel in PANELS if (html := panel.now(request, contact))],
        "beside": [html for panel in PANELS if (html := panel.beside(request, contact))],
        "merges": _merges(contact),
        "may_merge": screen.has_merge_permission(request, contact),
    }


def initials(contact: Contact) -> str:
    """Two letters in place of a picture; none without a name."""
    words = (contact.name or "").split()
    ends = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in ends).upper()


def figures(screen: ContactAdmin, contact: Contact) -> Iterator[Figure]:
    """The totals, with where each comes from."""
    rollup = contact.rollup
    explained = screen.url("explain", contact.pk)
    own = contact.organisation.currency_code
    foreign = contact.foreign_spend.order_by("currency_code")
    amounts = [(rollup.total_spend, own), *((one.amount, one.currency_code) for one in foreign)]
    spent = [money.show(amount, code) for amount, code in amounts if amount or code == own]
    why = _("Why this total?")
    yield Figure(_("Total spend"), " + ".join(spent), url=explained, about=why)
    yield Figure(_("Orders"), rollup.total_orders, url=explained, about=why)
    yield Figure(_("Last order"), day(rollup.last_order_at))
    scores = (rollup.recency, rollup.frequency, rollup.monetary)
    if all(scores):
        yield Figure(
            _("RFM"),
            " · ".join(str(score) for score in scores),
            about=_("Recency, frequency and money: 1 to 5, 5 best, among all who ordered."),
        )


def day(moment: Any) -> str:
    """A moment's day, a dash for none."""
    return date_format(timezone.localtime(moment), "DATE_FORMAT") if moment else "—"


def _merges(contact: Contact) -> Sequence[Merge]:
    merges = Merge.objects.for_organisation(contact.organisation_id)
    alive = merges.filter(survivor=contact, undone_at=None).select_related("absorbed")
    return list(alive.order_by("-created_at")[:MOST_MERGES])


def _composers(request: HttpRequest, contact: Contact) -> list[Any]:
    if contact.redacted_at is not None:
        return []
    found = [one for panel in PANELS for one in panel.composers(request, contact)]
    return sorted(found, key=lambda one: one.position)


# What the form has, to be read beside the timeline.


def facts(adminform: Any, contact: Contact) -> list[Facts]:
    """The form's fields that hold something, by its headings. No query."""
    found = []
    for fieldset in adminform:
        lines = [
            fact
            for line in fieldset
            for shown in line
            if (fact := _fact(adminform.form, shown, contact)) is not None
        ]
        if lines:
            found.append(Facts(str(fieldset.name or ""), lines))
    return found


def _fact(form: Any, shown: Any, contact: Contact) -> Fact | None:
    told = shown.field
    name = told["name"] if isinstance(told, Mapping) else told.name
    if name in _AT_THE_TOP or name.startswith("permission_"):
        return None
    field: forms.Field | None = form.fields.get(name)
    if field is None:  # shown to somebody who may not change it
        text = as_text(forms.Field(), getattr(contact, name, getattr(form.instance, name, "")))
        label = str(told["label"]) if isinstance(told, Mapping) else name
    else:
        value = form.get_initial_for_field(field, name)
        if value is None or value in ("", [], False):
            return None
        text, label = as_text(field, value), str(field.label or name)
    return Fact(capfirst(label), text) if text and text != "-" else None


# The addresses.


def _live(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """The parts again, after something was written; `entries=no` without the timeline."""
    told = _parts(screen, request, contact)
    if request.GET.get("entries") != "no":
        told |= entries.shown(screen, request, contact) | {"with_entries": True}
    return render(request, "admin/contacts/page/live.html", told)


def _timeline(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """A page of the timeline."""
    told = entries.shown(screen, request, contact)
    whole = request.GET.get("whole") == "yes"
    template = "timeline.html" if whole else "entries.html"
    return render(request, f"admin/contacts/page/{template}", told)


def _tags(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """The names to choose from; or put one on (`add`), or take one off (`remove`)."""
    if not screen.has_change_permission(request, contact):
        raise PermissionDenied
    organisation = cast(Organisation, organisation_of(request))
    known = Tag.objects.for_organisation(organisation)
    if request.method != "POST":
        names = known.exclude(kind__in=MANAGED).order_by("name").values_list("name", flat=True)
        return JsonResponse({"tags": list(names[:MOST_TAGS])})

    def write(given: Mapping[str, Any]) -> str:
        name = request.POST.get("remove")
        if name is not None:
            services.untag(contacts=contact, name=name)
            return _("%(tag)s is taken off.") % {"tag": name}
        name = " ".join(request.POST.get("add", "").split())
        if not request.user.has_perm("contacts.add_tag") and not known.named(name).exists():
            raise ValidationError({"name": _("There is no tag of this name.")})
        services.tag(contacts=contact, name=name)
        return _("%(tag)s is put on.") % {"tag": name}

    back = screen.url("change", contact.pk)
    return composing.answer(request, back=back, write=write, fields={"name": "add"})
