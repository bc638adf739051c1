"""Saying what the values of a mapped system mean, by clicking in what it delivered.

One form does it all: every button posts what stands there, and the page comes back with it changed.
`mapping.js` does the same without a reload; it works without it too. Nothing is kept before it is
saved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from activities.models import ActivityType
from activities.types import BUILT_IN
from crm.admin.base import OrganisationAdmin
from integrations import services
from integrations.models import Connection, Delivery
from integrations.querysets import DeliveryQuerySet
from integrations.sources import SOURCES
from integrations.sources.base import NotUnderstood, parse
from integrations.wifi import paths, trees, trying
from integrations.wifi.logins import CONNECTED
from integrations.wifi.mapped import MAPPING, Mapped, bodies, mapping_of
from integrations.wifi.meanings import ACTIVITY, DATA, Meaning, Meanings
from organisations.middleware import organisation_of
from organisations.models import Organisation

LATEST = 20
"""As many deliveries as are offered."""
LONGEST_SAMPLE = 200_000
MANY = 1000
"""As many deliveries in trouble as are counted."""

MEDIA = forms.Media(
    css={"all": ["regulars/integrations.css", "regulars/mapping.css"]}, js=["regulars/mapping.js"]
)
Status = Delivery.Status


@dataclass
class Row:
    """A meaning, where it stands, and what was found for it."""

    meaning: Meaning
    candidates: Sequence[str]
    used: str = ""
    shown: str = ""
    problem: str = ""


@dataclass
class Sheet:
    """What stands on the page: the mapping as it was changed, and what it is looked at with."""

    connection: Connection
    mapping: str
    sample: str = ""
    delivery: Delivery | None = None
    path: str = ""
    said: str = ""
    """What the last button did, for whoever does not see it."""
    errors: dict[str, str] = field(default_factory=dict)
    """By what is wrong: `mapping`, `sample`, `delivery`."""

    @property
    def was(self) -> str:
        """The stored mapping that this began with."""
        return hashlib.sha256(mapping_of(self.connection).encode()).hexdigest()[:16]

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        return self.mapping.strip() != mapping_of(self.connection).strip()

    def body(self) -> Any:
        """What is looked at; None when there is nothing, or nothing that can be read."""
        where = "sample" if self.sample.strip() else "delivery"
        text = self.sample if where == "sample" else self.delivery.body if self.delivery else ""
        if not text.strip():
            return None
        try:
            return parse(text)
        except NotUnderstood as error:
            self.errors[where] = str(error)
            return None

    def act(self, what: str, told: Any) -> None:
        """Do what a button says: `use:MEANING`, `drop:MEANING=CANDIDATE`, `always:type`."""
        verb, _colon, rest = what.partition(":")
        try:
            if verb == "use" and self.path:
                rest = _kept_as(self.path) if rest == "data" else rest
                self.mapping = paths.assign(self.mapping, rest, self.path)
                self.said = _("%(path)s is used.") % {"path": self.path}
                self.path = ""
            elif verb == "drop":
                name, _equals, candidate = rest.partition("=")
                self.mapping = paths.drop(self.mapping, name, candidate)
                self.said = _("%(path)s is not used any more.") % {"path": candidate}
            elif verb == "always":
                self.mapping = _always(self.mapping, rest, str(told.get(f"always_{rest}", "")))
        except paths.WrongMapping as wrong:
            self.errors["mapping"] = str(wrong)


def _kept_as(path: str) -> str:
    """The meaning of a value that is only kept: `data.` and its own name."""
    names = [step for step in paths.steps(path) if isinstance(step, str)]
    tidy = re.sub(r"\W+", "_", names[-1] if names else "").strip("_")
    return f"{DATA}{tidy[:40] if tidy[:1].isalpha() else f'value_{tidy[:30]}'}"


def _always(mapping: str, name: str, value: str) -> str:
    """The mapping with one constant for a meaning, in place of the one before; without any when
    `value` is empty."""
    for candidate in paths.parse(mapping).get(name, []):
        if candidate.startswith('"'):
            mapping = paths.drop(mapping, name, candidate)
    if not value.strip():
        return mapping
    others = paths.parse(mapping).get(name, [])
    for one in others:
        mapping = paths.drop(mapping, name, one)
    mapping = paths.assign(mapping, name, paths.constant(value))
    for one in reversed(others):  # what a delivery says itself goes first
        mapping = paths.assign(mapping, name, one)
    return mapping


class MappingPage(OrganisationAdmin):
    """The page on which a mapping is made. For the screen of connections."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.mapping_view)
        name = "integrations_connection_mapping"
        return [path("<int:pk>/mapping/", view, name=name), *super().get_urls()]

    def mapping_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Shows the tree and what it would make; changes the connection only when it is saved."""
        connection: Connection = self.existing(request, str(pk))
        if not is_mapped(connection):
            raise Http404
        if not self.has_change_permission(request, connection):
            raise PermissionDenied
        connection.organisation = cast(Organisation, organisation_of(request))
        sheet = _opened(request, connection)
        what = request.POST.get("do", "")
        if what in ("save", "apply"):
            if self._save(request, sheet, apply=what == "apply"):
                return HttpResponseRedirect(_address_of(sheet))
        else:
            sheet.act(what, request.POST)
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            "admin/integrations/mapping.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "original": connection,
                "title": _("What the values of %(name)s mean") % {"name": connection},
                "media": self.media + MEDIA,
                "back": self.url("change", connection.pk),
                **_context(sheet),
            },
        )

    def _save(self, request: HttpRequest, sheet: Sheet, *, apply: bool) -> bool:
        """Keep the mapping; apply what was in trouble again. Whether it was kept."""
        if request.POST.get("was", sheet.was) != sheet.was:
            sheet.errors["mapping"] = _(
                "Somebody else changed the mapping after you opened it. Saving again overwrites "
                "theirs."
            )
            return False
        try:
            services.change(connection=sheet.connection, options={MAPPING: sheet.mapping})
        except ValidationError as error:
            sheet.errors["mapping"] = " ".join(error.messages)
            return False
        self.log_change(request, sheet.connection, [{"changed": {"fields": [MAPPING]}}])
        if not apply:
            messages.success(request, _("The mapping is saved."))
            return True
        done = services.replay(deliveries=_in_trouble(sheet.connection))
        text = ngettext(
            "The mapping is saved, and %(count)s delivery is applied again.",
            "The mapping is saved, and %(count)s deliveries are applied again.",
            done,
        )
        messages.success(request, text % {"count": f"{done:,}"})
        return True


def is_mapped(connection: Connection) -> bool:
    """Whether what its values mean is said by a mapping."""
    return isinstance(SOURCES.get(connection.source), Mapped)


def _address_of(sheet: Sheet) -> str:
    address = reverse("admin:integrations_connection_mapping", args=[sheet.connection.pk])
    return f"{address}?delivery={sheet.delivery.pk}" if sheet.delivery is not None else address


def _opened(request: HttpRequest, connection: Connection) -> Sheet:
    posted = request.POST
    given = posted if request.method == "POST" else request.GET
    sheet = Sheet(
        connection=connection,
        mapping=posted.get(MAPPING, mapping_of(connection)).replace("\r\n", "\n"),
        sample=posted.get("sample", ""),
        delivery=_delivery(connection, given.get("delivery", "")),
        path=posted.get("path", ""),
    )
    if len(sheet.sample) > LONGEST_SAMPLE:
        sheet.sample = ""
        sheet.errors["sample"] = _("A sample has at most %(most)s characters.") % {
            "most": f"{LONGEST_SAMPLE:,}"
        }
    return sheet


def _kept(connection: Connection) -> QuerySet[Delivery]:
    rows = Delivery.objects.for_organisation(connection.organisation_id)
    kept: QuerySet[Delivery] = rows.filter(connection=connection).exclude(body="")
    return kept


def _delivery(connection: Connection, chosen: str) -> Delivery | None:
    """The one that was chosen; else the latest that failed, else the latest."""
    rows = _kept(connection)
    if chosen.isdecimal() and len(chosen) < 19:
        return rows.filter(pk=int(chosen)).first()
    return _in_trouble(connection).exclude(body="").first() or rows.first()


def _in_trouble(connection: Connection) -> DeliveryQuerySet:
    """Those that wait or failed: perhaps for want of the right mapping."""
    rows: DeliveryQuerySet = Delivery.objects.for_organisation(connection.organisation_id)
    return rows.filter(connection=connection, status__in=(Status.FAILED, Status.WAITING))


def _context(sheet: Sheet) -> dict[str, Any]:
    connection = sheet.connection
    meanings = Meanings(connection.organisation)
    body = sheet.body()
    rows, outcomes = _read(sheet, body, meanings)
    first = bodies(body)[0] if body not in (None, []) else None
    used = {row.meaning.name: row.used for row in rows if row.used}
    offered = list(_kept(connection).defer("body", "headers")[:LATEST])
    if sheet.delivery is not None and sheet.delivery not in offered:
        offered.append(sheet.delivery)
    troubled = _in_trouble(connection).order_by()[: MANY + 1].count()
    return {
        "sheet": sheet,
        "connection": connection,
        "source": SOURCES[connection.source],
        "deliveries": offered,
        "lines": trees.lines_of(first, used, meanings) if first is not None else [],
        "several": len(bodies(body)) if isinstance(body, list) else 0,
        "found": [row for row in rows if row.used],
        "missing": [row for row in rows if not row.used],
        "outcomes": outcomes,
        "groups": _groups(meanings),
        "types": _types(connection),
        "always": _constant_of(sheet.mapping),
        "default_type": CONNECTED,
        "activity": ACTIVITY,
        "fields": reverse("admin:customfields_customfield_changelist"),
        "troubled": f"{MANY:,}+" if troubled > MANY else troubled and f"{troubled:,}",
    }


def _read(sheet: Sheet, body: Any, meanings: Meanings) -> tuple[list[Row], list[trying.Outcome]]:
    """The mapping as rows, with what the first thing of the body has for each; and what it would
    all make."""
    try:
        mapping = paths.parse(sheet.mapping)
        outcomes = trying.try_out(sheet.connection, body, sheet.mapping) if body else []
    except paths.WrongMapping as wrong:
        sheet.errors.setdefault("mapping", str(wrong))
        return [], []
    order = {one.name: place for place, one in enumerate(meanings.offered())}
    rows = []
    for name in sorted(mapping, key=lambda one: (order.get(one, len(order)), one)):
        row = Row(meanings[name], mapping[name])
        if outcomes and name in outcomes[0].found:
            found = outcomes[0].found[name]
            row.used, row.shown = found.candidate, trees.shown(found.raw)
            row.problem = outcomes[0].problems.get(name, "")
        rows.append(row)
    return rows, outcomes


def _groups(meanings: Meanings) -> list[tuple[str | Promise, list[Meaning]]]:
    groups: dict[str, tuple[str | Promise, list[Meaning]]] = {}
    for one in meanings.offered():
        groups.setdefault(str(one.group), (one.group, []))[1].append(one)
    return list(groups.values())


def _types(connection: Connection) -> list[str]:
    own = ActivityType.objects.for_organisation(connection.organisation_id)
    return [*BUILT_IN, *own.values_list("name", flat=True)[:200]]


def _constant_of(mapping: str) -> str:
    """What the type of activity always is, where that is said."""
    try:
        candidates = paths.parse(mapping).get("type", [])
    except paths.WrongMapping:
        return ""
    found: str = next((paths.find(None, one) for one in candidates if one.startswith('"')), "")
    return found
