"""A contact's history, newest first, from all that keep some of it.

`ContactChange` and `PermissionChange` are read here; an upper app that remembers itself what it
changed (imports) registers a `Past`. Whatever was merged into a contact is part of its history for
as long as it is merged: rows stay with the contact that they were written for.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.db.models import Model, Q, QuerySet

from contacts.history.models import ContactChange
from contacts.models import Contact, PermissionChange
from contacts.timeline import Cursor
from crm.actors import Actor

if TYPE_CHECKING:
    from datetime import datetime

M = TypeVar("M", bound=Model)

KIND = "change"
"""What the timeline calls changes."""
PAGE = 50
PERMISSIONS = "permissions"
_PLACES = 8

Action = ContactChange.Action
_OF_THE_ABSORBED = (Action.ABSORBED, Action.RELEASED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One write to one contact. `changes` is as in `ContactChange`."""

    at: datetime
    contact: int
    """The id of the one that was written to: it may be part of another by now."""
    action: str
    actor: Actor
    changes: Mapping[str, Sequence[Any]]
    other: int | None = None
    """The id of the other contact of a merge."""
    note: str = ""
    """Where a permission is from."""
    place: int
    """Of the `Past` that knows it."""
    row: int
    """Its row's id there."""

    @property
    def key(self) -> int:
        """Tells it from every other change: the row and whose it is, in one number."""
        return self.row * _PLACES + self.place

    @property
    def cursor(self) -> Cursor:
        """Where it stands."""
        return Cursor(self.at, KIND, self.key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Whose history is asked for: of the contact and those merged into it, below a place, of one
    field and by one kind of actor where these are given."""

    contact: int
    family: Sequence[int]
    organisation: int
    before: Cursor | None = None
    field: str = ""
    kind: str = ""
    key: int | None = None
    """This one change only, by its key."""


class Past:
    """One table that keeps some of the history."""

    place: ClassVar[int]
    """Of its own, below 8: part of each change's key."""

    def changes(self, asked: Asked, limit: int) -> list[Change]:
        """The `limit` newest that are asked for, newest first."""
        raise NotImplementedError

    def below(self, rows: QuerySet[M], asked: Asked, at: str) -> QuerySet[M]:
        """`rows` in their order, those below the place that was asked for, by an index on the
        contact and `-at`, `-id`; or the one row that was asked for."""
        rows = rows.order_by(f"-{at}", "-pk")
        if asked.key is not None:
            row, place = divmod(asked.key, _PLACES)
            return rows.filter(pk=row) if place == self.place else rows.none()
        if asked.before is None:
            return rows
        moment, kind, key = asked.before
        if kind < KIND:
            return rows.filter(**{f"{at}__lt": moment})
        rows = rows.filter(**{f"{at}__lte": moment})
        if kind > KIND:
            return rows
        # The largest row of this place whose key is below.
        most = (key - 1 - self.place) // _PLACES
        return rows.filter(Q(**{f"{at}__lt": moment}) | Q(pk__lte=most))


class _Written(Past):
    """What services recorded."""

    place = 0

    def changes(self, asked: Asked, limit: int) -> list[Change]:
        rows = ContactChange.objects.for_organisation(asked.organisation).filter(
            contact__in=asked.family
        )
        if len(asked.family) > 1:
            # Of a merge the survivor tells; the other's side of it is of use when it is undone.
            rows = rows.exclude(~Q(contact=asked.contact), action__in=_OF_THE_ABSORBED)
        if asked.field:
            rows = rows.filter(changes__has_key=asked.field)
        if asked.kind:
            rows = rows.filter(actor_kind=asked.kind)
        return [
            Change(
                at=row.at,
                contact=row.contact_id,
                action=row.action,
                actor=row.actor,
                changes=row.changes,
                other=row.other,
                place=self.place,
                row=row.pk,
            )
            for row in self.below(rows, asked, "at")[:limit]
        ]


class _Permitted(Past):
    """What the contact agreed to be sent."""

    place = 4

    def changes(self, asked: Asked, limit: int) -> list[Change]:
        if asked.field not in ("", PERMISSIONS):
            return []
        rows = PermissionChange.objects.for_organisation(asked.organisation).filter(
            contact__in=asked.family
        )
        if asked.kind:
            rows = rows.filter(actor_kind=asked.kind)
        return [
            Change(
                at=row.happened_at,
                contact=row.contact_id,
                action=Action.CHANGED,
                actor=row.actor,
                changes={PERMISSIONS: [{row.channel: row.before}, {row.channel: row.after}]},
                note=row.source,
                place=self.place,
                row=row.pk,
            )
            for row in self.below(rows, asked, "happened_at")[:limit]
        ]


PASTS: list[Past] = [_Written(), _Permitted()]


def register(past: Past) -> None:
    """Let `past` tell of every contact. Called from `AppConfig.ready`."""
    if all(known.place != past.place for known in PASTS):
        PASTS.append(past)


def of(
    contact: Contact,
    *,
    before: Cursor | None = None,
    limit: int = PAGE,
    field: str = "",
    kind: str = "",
) -> tuple[list[Change], Cursor | None]:
    """The `limit` newest changes below `before`, of one field (a name of the contact's JSON) and by
    one kind of actor where these are given; and where the next page begins, None at the end.

    One query to find whatever was merged into it, one more for each step of that, and one for each
    table.
    """
    asked = Asked(
        contact=contact.pk,
        family=family(contact),
        organisation=contact.organisation_id,
        before=before,
        field=field,
        kind=kind,
    )
    merged = heapq.merge(
        *(past.changes(asked, limit + 1) for past in PASTS),
        key=lambda change: change.cursor,
        reverse=True,
    )
    found = [change for change, _n in zip(merged, range(limit + 1), strict=False)]
    more = len(found) > limit
    found = found[:limit]
    return found, found[-1].cursor if more else None


def one(contact: Contact, key: int) -> Change | None:
    """The change of this key, when it is one of this contact's own."""
    asked = Asked(
        contact=contact.pk, family=[contact.pk], organisation=contact.organisation_id, key=key
    )
    place = key % _PLACES
    return next(
        (found for past in PASTS if past.place == place for found in past.changes(asked, 1)), None
    )


def family(contact: Contact) -> list[int]:
    """The ids of the contact and of all that were merged into it, at any remove."""
    everyone = [contact.pk]
    latest: Collection[int] = everyone
    contacts = Contact.objects.for_organisation(contact.organisation_id)
    while latest:
        latest = list(contacts.filter(merged_into__in=latest).values_list("pk", flat=True))
        everyone += latest
    return everyone
