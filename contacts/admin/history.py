"""A contact's history in the admin: who changed what, from what to what; and putting it back."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts import identity, services, timeline
from contacts.consent import Channel, Status
from contacts.history import reading, recording
from contacts.history.reading import KIND, PERMISSIONS, Action, Change
from contacts.models import Address, Contact
from contacts.parts import PARTS
from contacts.services.restoring import restorable
from contacts.services.values import ADDRESS_COLUMNS, COLUMNS
from contacts.timeline import Cursor, Entry, TimelineSource
from crm.actors import Actor, Kind
from crm.admin.forms import Refused
from crm.api.names import camel
from crm.errors import Conflict

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin

SHOWN_IN_TIMELINE = 3
UNSET = "—"

ICONS: dict[str, str] = {
    Kind.STAFF: "person",
    Kind.KEY: "key",
    Kind.IMPORT: "upload_file",
    Kind.WORKFLOW: "account_tree",
    Kind.INTEGRATION: "sync_alt",
    Kind.CONTACT: "contact_mail",
    Kind.COMMAND: "terminal",
    Kind.SYSTEM: "settings",
}
# Where the page of an actor is, for kinds that have one: the app and the model.
PAGES: dict[str, tuple[str, str]] = {
    Kind.KEY: ("organisations", "apikey"),
    Kind.IMPORT: ("imports", "import"),
    Kind.WORKFLOW: ("workflows", "workflow"),
    Kind.INTEGRATION: ("integrations", "connection"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a change, in words."""

    name: str
    label: str
    before: str
    after: str
    put_back: str = ""
    """The address of the page that asks; empty where there is nothing to put back."""

    @property
    def is_tags(self) -> bool:
        """Whether `before` are tags taken off and `after` tags put on."""
        return self.name == "tags"

    def __str__(self) -> str:
        if self.is_tags:
            parts = [f"− {self.before}"] if self.before != UNSET else []
            parts += [f"+ {self.after}"] if self.after != UNSET else []
            return f"{self.label}: {', '.join(parts)}"
        return f"{self.label}: {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class Item:
    """One change, in words."""

    change: Change
    title: str
    about: str
    """Whose it is, when that contact is part of this one by now."""
    by: str
    kind: str
    icon: str
    page: str
    lines: Sequence[Line]


# Words.


class Words:
    """What fields and values of a contact's history are called."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._places = {name: place for place, name in enumerate(labels)}

    def label(self, name: str) -> str:
        """Of a field, also of one that is gone."""
        return self._labels.get(name) or name.partition(".")[2] or name

    def lines(self, change: Change) -> list[Line]:
        """What the change says, without what it says for the machine only."""
        found = []
        for name, (before, after) in change.changes.items():
            line = Line(name, self.label(name), shown(name, before), shown(name, after))
            if line.before != line.after:
                found.append(line)
        return sorted(found, key=lambda line: self._place(line.name))

    def _place(self, name: str) -> tuple[int, str]:
        return self._places.get(name, len(self._places)), name


def labels(contact: Contact) -> dict[str, str]:
    """The fields that a history may speak of, in the order in which people think of them."""
    of_columns = {
        camel(column): str(Contact._meta.get_field(column).verbose_name)  # type: ignore[union-attr]
        for column in COLUMNS
    }
    found = {name: label[:1].upper() + label[1:] for name, label in of_columns.items()}
    found["tags"] = _("Tags")
    found["addresses"] = _("Addresses")
    found[PERMISSIONS] = _("May be sent")
    for part in PARTS:
        found |= part.labels(contact.organisation)
    return found


def shown(name: str, value: Any) -> str:
    """A value of the history as a person reads it."""
    if not value:
        return UNSET
    if name == "addresses":
        told = (
            str(Address(**{column: one.get(column, "") for column in ADDRESS_COLUMNS}))
            for one in value
        )
        return "; ".join(one or UNSET for one in told)
    if name == "tags":
        return ", ".join(value)
    if name == PERMISSIONS:
        return ", ".join(
            f"{Channel(channel).label}: {Status(status).label}" for channel, status in value.items()
        )
    if name == "dob":
        return date_format(datetime.date.fromisoformat(value))
    if name == "kind":
        return str(Contact.Kind(value).label)
    if value in ("true", "false"):  # as a yes-or-no field keeps it
        return _("Yes") if value == "true" else _("No")
    return str(value)


def titled(change: Change, others: Mapping[int, str]) -> str:
    """What happened, in a few words."""
    if change.action == Action.CHANGED and change.changes.keys() == {"tags"}:
        return _("Tags changed")
    if change.other is not None:
        other = others.get(change.other) or f"#{change.other}"
        sentences = {
            Action.MERGED: _("%(name)s was merged into this contact"),
            Action.ABSORBED: _("Merged into %(name)s"),
            Action.UNMERGED: _("The merge of %(name)s was undone"),
            Action.RELEASED: _("No longer part of %(name)s"),
        }
        return sentences[Action(change.action)] % {"name": other}
    return str(Action(change.action).label)


def named(actor: Actor, note: str = "") -> str:
    """Who or what did it."""
    if actor.kind == Kind.SYSTEM and note:
        return note  # the source of a permission, of before actors were kept
    return actor.name or str(Kind(actor.kind).label)


# The page.


def page(screen: ContactAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """Change by change, newest first. As many queries for a long history as for a short one."""
    known = labels(contact)
    field, kind = request.GET.get("field", ""), request.GET.get("who", "")
    try:
        before = Cursor.read(request.GET["before"]) if request.GET.get("before") else None
    except ValidationError as error:
        raise Http404 from error
    if (kind and kind not in Kind.values) or "\0" in field:
        raise Http404
    changes, further = reading.of(contact, before=before, field=field, kind=kind)
    items = _items(screen, request, contact, changes, Words(known))
    return TemplateResponse(
        request,
        "admin/contacts/history.html",
        {
            **screen.admin_site.each_context(request),
            "opts": screen.opts,
            "original": contact,
            "title": _("History of %(name)s") % {"name": contact},
            "items": items,
            "fields": known if field in known or not field else {field: field} | known,
            "kinds": Kind.choices,
            "field": field,
            "kind": kind,
            "is_first": before is None,
            "older": _address(further, field=field, who=kind) if further else "",
            "newest": _address(None, field=field, who=kind),
            "back": screen.url("change", contact.pk),
        },
    )


def _address(before: Cursor | None, **asked: str) -> str:
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in asked.items() if value})
    if before is not None:
        query["before"] = str(before)
    return f"?{query.urlencode()}"


def _items(
    screen: ContactAdmin,
    request: HttpRequest,
    contact: Contact,
    changes: Sequence[Change],
    words: Words,
) -> list[Item]:
    others = names_of(contact, changes)
    pages = _pages(request, contact, {change.actor for change in changes})
    may = screen.has_change_permission(request, contact)
    now = _now(contact) if may and changes else {}
    items = []
    for change in changes:
        possible = set(restorable(change)) if may and change.contact == contact.pk else set()
        lines = [
            Line(line.name, line.label, line.before, line.after, ask)
            for line in words.lines(change)
            for ask in [
                _ask_address(screen, contact, change, line.name)
                if line.name in possible and _differs(now, line.name, change.changes[line.name])
                else ""
            ]
        ]
        about = "" if change.contact == contact.pk else others.get(change.contact, "")
        items.append(
            Item(
                change=change,
                title=titled(change, others),
                about=about,
                by=named(change.actor, change.note),
                kind=str(Kind(change.actor.kind).label),
                icon=ICONS[change.actor.kind],
                page=pages.get(change.actor, ""),
                lines=lines,
            )
        )
    return items


def names_of(contact: Contact, changes: Iterable[Change]) -> dict[int, str]:
    """The names of other contacts that these changes speak of, with their numbers. One query at
    most."""
    asked = {one.contact for one in changes} | {one.other for one in changes if one.other}
    asked.discard(contact.pk)
    if not asked:
        return {}
    others = Contact.objects.for_organisation(contact.organisation_id).in_bulk(asked)
    return {
        pk: f"{other} (#{pk})" if str(other) != f"#{pk}" else f"#{pk}"
        for pk, other in others.items()
    }


def _pages(request: HttpRequest, contact: Contact, actors: Collection[Actor]) -> dict[Actor, str]:
    """The addresses of the actors that are still there and that one may see. A query for each kind
    that there is."""
    found: dict[Actor, str] = {}
    for kind, (app, name) in PAGES.items():
        asked = {one for one in actors if one.kind == kind and one.id is not None}
        if not asked or not request.user.has_perm(f"{app}.view_{name}"):
            continue
        rows: Any = apps.get_model(app, name)._default_manager
        ids = {one.id for one in asked}
        there = set(
            rows.for_organisation(contact.organisation_id)
            .filter(pk__in=ids)
            .values_list("pk", flat=True)
        )
        for one in asked:
            if one.id in there:
                found[one] = reverse(f"admin:{app}_{name}_change", args=[one.id])
    return found


def _now(contact: Contact) -> dict[str, Any]:
    """What the contact has, as the history would say it. Two queries and those of the parts."""
    now: dict[str, Any] = {
        camel(column): recording.text(getattr(contact, column)) for column in COLUMNS
    }
    now["addresses"] = list(contact.addresses.values(*ADDRESS_COLUMNS))
    now["tags"] = [tag.name for tag in contact.tags.all()]
    for part in PARTS:
        now |= part.texts(contact)
    return now


def _differs(now: Mapping[str, Any], name: str, pair: Sequence[Any]) -> bool:
    """Whether putting this back would change anything."""
    before, after = pair
    if name == "tags":
        carried, back, off = (
            {identity.fold(tag) for tag in tags} for tags in (now["tags"], before, after)
        )
        return bool(back - carried or off & carried)
    return (now.get(name) or None) != (before or None)


# Putting back.


def _ask_address(screen: ContactAdmin, contact: Contact, change: Change, name: str) -> str:
    query = QueryDict(mutable=True)
    query["field"] = name
    return f"{screen.url('put_back', contact.pk, change.key)}?{query.urlencode()}"


def put_back(
    screen: ContactAdmin, request: HttpRequest, contact: Contact, key: int
) -> HttpResponse:
    """Ask, with what is there now, then put one value of a change back."""
    name = request.GET.get("field", "")
    change = reading.one(contact, key)
    if change is None or name not in restorable(change):
        raise Http404
    back = screen.url("history", contact.pk)
    words = Words(labels(contact))
    line = next((line for line in words.lines(change) if line.name == name), None)
    if line is None:
        raise Http404
    if not screen.confirmed(request):
        return screen.ask(
            request,
            title=_("Put %(field)s back?") % {"field": line.label},
            notes=_notes(contact, change, line),
            confirm=_("Put it back"),
            back=back,
            obj=contact,
        )
    try:
        services.put_back(contact=contact, change=change, names=[name])
    except (ValidationError, Conflict) as error:
        screen.tell(request, Refused(error))
    else:
        screen.log_change(request, contact, [{"changed": {"fields": [f"{name} put back"]}}])
        messages.success(request, _("Put back: %(field)s.") % {"field": line.label})
    return HttpResponseRedirect(back)


def _notes(contact: Contact, change: Change, line: Line) -> list[Any]:
    if line.is_tags:
        notes = []
        if change.changes["tags"][1]:
            notes.append(_("Taken off again: %(tags)s") % {"tags": line.after})
        if change.changes["tags"][0]:
            notes.append(_("Put on again: %(tags)s") % {"tags": line.before})
        return [*notes, _("Other tags stay.")]
    now = shown(line.name, _now(contact).get(line.name))
    notes = [
        format_html(_("Now: {}"), format_html("<strong>{}</strong>", now)),
        format_html(_("Then: {}"), format_html("<strong>{}</strong>", line.before)),
    ]
    if now != line.after:
        notes.append(
            _("It was changed again after this change, which made it %(value)s.")
            % {"value": line.after}
        )
    return notes


# The timeline.


class Changes(TimelineSource):
    """Changes of the contact's own values among all that happened with it."""

    kind = KIND
    label = gettext_lazy("Changes")
    icon = "edit"
    permission = "contacts.view_contact"

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        changes, _further = reading.of(contact, before=before, limit=limit)
        if not changes:
            return []
        words = Words(labels(contact))
        others = names_of(contact, changes)
        address = reverse("admin:contacts_contact_history", args=[contact.pk])
        return [self._entry(change, words, others, address) for change in changes]

    def _entry(
        self, change: Change, words: Words, others: Mapping[int, str], address: str
    ) -> Entry:
        lines = words.lines(change)
        title = titled(change, others)
        if change.action == Action.CHANGED and lines:
            fields = get_text_list([line.label for line in lines[:2]], _("and"))
            title = (
                _("%(fields)s changed") % {"fields": fields}
                if len(lines) < 3
                else ngettext("%(count)d value changed", "%(count)d values changed", len(lines))
                % {"count": len(lines)}
            )
        if change.contact in others:
            title = f"{title} · {others[change.contact]}"
        return Entry(
            at=change.at,
            kind=self.kind,
            pk=change.key,
            title=title,
            icon=_ICON_OF.get(change.action, ""),
            detail=self._detail(lines, address),
            by=named(change.actor, change.note),
        )

    def _detail(self, lines: Sequence[Line], address: str) -> SafeString | str:
        told = format_html_join(
            SafeString("<br>"), "{}", ((str(line),) for line in lines[:SHOWN_IN_TIMELINE])
        )
        more = len(lines) - SHOWN_IN_TIMELINE
        if more <= 0:
            return told
        said = ngettext("and %(count)d more", "and %(count)d more", more) % {"count": more}
        return format_html('{}<br><a class="rg-link" href="{}">{}</a>', told, address, said)


_ICON_OF: dict[str, str] = {
    Action.CREATED: "person_add",
    Action.RESTORED: "undo",
    Action.UNDONE: "undo",
    Action.MERGED: "merge",
    Action.ABSORBED: "merge",
    Action.UNMERGED: "call_split",
    Action.RELEASED: "call_split",
    Action.REDACTED: "person_off",
}

timeline.register(Changes())
