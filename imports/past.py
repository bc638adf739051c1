"""What imports did to a contact, as its history tells it: read from what undoing needs anyway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import phonenumbers
from django.db.models import Q

from contacts.history.reading import Action, Asked, Change, Past
from contacts.identity import fold
from contacts.services.values import DERIVED
from crm.actors import Actor, Kind
from crm.api.names import camel, snake
from imports.models import CreatedRange, Import, ImportedRow, What
from imports.undoing.records import composed

_PHONE, _CODE, _E164 = "phone_number", "phone_number_country_code", "phone_number_e164"


class Changed(Past):
    """What imports changed."""

    place = 1

    def changes(self, asked: Asked, limit: int) -> list[Change]:
        if asked.kind not in ("", Kind.IMPORT):
            return []
        return [
            _change(row.run, row.before or {}, Action.CHANGED, row, self.place)
            for row in self.below(_rows(asked), asked, "settled_at")[:limit]
        ]


class Created(Past):
    """That an import created the contact. With what is in the file."""

    place = 2

    def changes(self, asked: Asked, limit: int) -> list[Change]:
        if asked.kind not in ("", Kind.IMPORT) or asked.field:
            return []
        found = []
        for pk in asked.family:
            ranges = CreatedRange.objects.filter(what=What.CONTACT, first_id__lte=pk)
            # Ranges do not overlap: the nearest below is the one, or none is.
            nearest = ranges.order_by("-first_id").values_list("pk", "last_id").first()
            if nearest is not None and nearest[1] >= pk:
                mine = self.below(CreatedRange.objects.filter(pk=nearest[0]), asked, "settled_at")
                found += [
                    Change(
                        at=row.settled_at,
                        contact=pk,
                        action=Action.CREATED,
                        actor=_actor(row.run),
                        changes={},
                        place=self.place,
                        row=row.pk,
                    )
                    for row in mine.select_related("run")
                ]
        return sorted(found, key=lambda change: change.cursor, reverse=True)[:limit]


class Undone(Past):
    """That what an import changed was taken back."""

    place = 3

    def changes(self, asked: Asked, limit: int) -> list[Change]:
        if asked.kind not in ("", Kind.IMPORT):
            return []
        rows = _rows(asked).filter(undone_at__isnull=False)
        found = []
        whose = "run_id", "row_id", "undone_at"
        for _whose, group in groupby(
            rows.order_by(*whose, "pk"), key=lambda row: [getattr(row, name) for name in whose]
        ):
            # Of several rows of one import, the undo takes all back at once.
            together: Mapping[str, Any] = {}
            for row in group:
                together = composed(together, row.before or {})
            change = _change(row.run, together, Action.UNDONE, row, self.place)
            if _is_asked(change, asked):
                found.append(change)
        return sorted(found, key=lambda change: change.cursor, reverse=True)[:limit]


def _is_asked(change: Change, asked: Asked) -> bool:
    if asked.key is not None:
        return change.key == asked.key
    return asked.before is None or change.cursor < asked.before


def _rows(asked: Asked) -> Any:
    rows = ImportedRow.objects.filter(
        what=What.CONTACT,
        row_id__in=asked.family,
        before__isnull=False,
        run__organisation=asked.organisation,
    )
    if asked.field:
        rows = rows.filter(_changing(asked.field))
    return rows.select_related("run")


def _changing(name: str) -> Q:
    """Rows that remember a change of this name of the contact's JSON."""
    first, _dot, rest = name.partition(".")
    if first == "customFields":
        return Q(before__custom_fields__has_key=rest)
    if first in ("addresses", "tags"):
        return Q(before__has_key=first)
    return Q(before__columns__has_key=snake(first))


def _actor(run: Import) -> Actor:
    return Actor(Kind.IMPORT, run.pk, run.file_name)


def _change(
    run: Import, before: Mapping[str, Any], action: str, row: ImportedRow, place: int
) -> Change:
    changes = told(before)
    undone = action == Action.UNDONE
    return Change(
        at=row.undone_at if undone and row.undone_at else row.settled_at,
        contact=row.row_id,
        action=action,
        actor=_actor(run),
        changes={name: pair[::-1] for name, pair in changes.items()} if undone else changes,
        place=place,
        row=row.pk,
    )


def told(before: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """What an `ImportedRow` remembers of a contact, as `ContactChange.changes` has it."""
    columns = dict(before.get("columns", {}))
    if _PHONE in columns and _CODE not in columns:
        # How the number was read: it goes with it.
        columns[_CODE] = [_calling_code(e164) for e164 in columns.get(_E164, [None, None])]
    changes = {camel(name): pair for name, pair in columns.items() if name not in DERIVED}
    if "addresses" in before:
        changes["addresses"] = before["addresses"]
    if "tags" in before:
        was, became = ({fold(name): name for name in names} for names in before["tags"])
        changes["tags"] = [
            [name for key, name in was.items() if key not in became],
            [name for key, name in became.items() if key not in was],
        ]
    for name, pair in before.get("custom_fields", {}).items():
        changes[f"customFields.{name}"] = pair
    return changes


def _calling_code(e164: str | None) -> str | None:
    return str(phonenumbers.parse(e164).country_code) if e164 else None
