"""The bar above a list: its views, its columns, and the filters that are on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from contacts.models import Contact
from contacts.segments.models import Segment
from crm.admin import columns
from crm.admin.filters import FormFilter
from crm.admin.forms import as_text
from desk.admin.lists import SHARE, address_of, list_of
from desk.lists import services
from desk.lists.models import SavedView
from organisations.middleware import organisation_of


@dataclass(frozen=True)
class Chip:
    """A filter that is on, and the address of the list without it."""

    label: str
    text: str
    without: str


def context(request: HttpRequest, changes: Any) -> dict[str, Any]:
    """What the bar's template shows above the list `changes`. Two queries at most: the views, and
    on the list of contacts the segments."""
    organisation = organisation_of(request)
    if organisation is None:
        return {}
    screen = changes.model_admin
    name = screen.opts.label_lower
    query = services.normal(request.GET.urlencode())
    views = list(
        SavedView.objects.for_organisation(organisation).for_user(request.user).filter(screen=name)
        if request.user.has_perm("desk.view_savedview")
        else ()
    )
    chosen = next((one for one in views if str(one.pk) == request.GET.get("view")), None)
    segments = []
    if screen.model is Contact and request.user.has_perm("contacts.view_segment"):
        found = Segment.objects.for_organisation(organisation).order_by("name")
        segments = list(found.values_list("pk", "name", "contact_count")[:100])
    return {
        "screen": name,
        "own": list_of(name),
        "views": [(one, address_of(one), one == chosen) for one in views],
        "chosen": chosen,
        "is_changed": chosen is not None and chosen.query != query,
        "may_change": chosen is not None
        and (chosen.owner_id == request.user.pk or request.user.has_perm(SHARE)),
        "may_share": request.user.has_perm(SHARE),
        "may_save": request.user.has_perm("desk.add_savedview"),
        "query": query,
        "is_plain": not query and chosen is None,
        "segments": segments,
        "segment": request.GET.get("segment", ""),
        "chips": list(_chips(request, changes)),
        "columns": columns.labelled(screen, request),
        "first": columns.name_of(columns.displayed(screen, request)[0]),
        "kept": [
            (key, value)
            for key, values in request.GET.lists()
            if key not in (columns.COLUMNS, "o", "p")
            for value in values
        ],
        "order": _order(request, screen),
    }


def _order(request: HttpRequest, screen: Any) -> str:
    """The column that the list is sorted by, by name and with a minus for downwards: its number
    changes when the columns do."""
    given = request.GET.get("o", "").split(".")[0]
    index = given.removeprefix("-")
    shown = columns.displayed(screen, request)
    if not index.isdecimal() or not 1 <= int(index) <= len(shown):
        return ""
    minus = "-" if given.startswith("-") else ""
    return minus + columns.name_of(shown[int(index) - 1])


def _chips(request: HttpRequest, changes: Any) -> Any:
    for spec in changes.filter_specs:
        if not isinstance(spec, FormFilter) or not spec.used_parameters:
            continue
        texts = []
        for parameter, field in spec.form.fields.items():
            value = spec.given.get(parameter)
            if value in (None, "", []):
                continue
            text = ", ".join(map(str, value)) if hasattr(value, "query") else as_text(field, value)
            texts.append(f"{field.label} {text}" if len(spec.form.fields) > 1 else text)
        if texts:
            left = request.GET.copy()
            for parameter in (*spec.form.fields, "p"):
                left.pop(parameter, None)
            yield Chip(str(spec.title), " – ".join(texts), f"?{left.urlencode()}")
