"""What a tighter rule would mean for the values that are there: which contacts would break it.

Rules hold for what is written from then on; only "required", "unique" and options that are used are
refused (`services.change`). Before any of it is decided, staff see whom it concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.functions import Length

from contacts.models import Contact
from customfields import patterns
from customfields.models import CustomField, CustomFieldValue

MOST = 10_000
"""More contacts than this are not told apart."""
LOOKED_AT = 200_000
"""A pattern is tried on so many values; a database's own expressions differ from ours."""
REFUSED = frozenset({"required", "unique", "options"})
"""Rules that cannot be set while a contact breaks them."""


@dataclass(frozen=True)
class Impact:
    """One rule, and the contacts that would break it, by id: at most `MOST` + 1."""

    rule: str
    contacts: list[int]
    partly: bool = False
    """Whether only the first `LOOKED_AT` values were tried."""

    @property
    def number(self) -> int:
        """How many they are, at most `MOST`."""
        return min(len(self.contacts), MOST)

    @property
    def capped(self) -> bool:
        """Whether there are more than `MOST`."""
        return len(self.contacts) > MOST

    @property
    def is_refused(self) -> bool:
        """Whether the rule cannot be set as long as they break it."""
        return self.rule in REFUSED


def of(field: CustomField, draft: CustomField, gone: Iterable[str] = ()) -> list[Impact]:
    """What it would mean to make `field` as `draft` is, without the options `gone`.

    Only rules that get tighter, and only those that somebody breaks. At most one query for each;
    what is wrong with the draft itself is not looked for.
    """
    checks: list[tuple[str, Callable[[], Impact]]] = []
    if draft.required and not field.required:
        checks.append(("required", lambda: _rows("required", lacking(field), "pk")))
    if draft.unique and not field.unique:
        shared = _values(field).shared(field.kind.column)
        checks.append(("unique", lambda: _rows("unique", shared)))
    if draft.minimum is not None and (field.minimum is None or draft.minimum > field.minimum):
        checks.append(("minimum", lambda: _bound(field, "minimum", "lt", draft.minimum)))
    if draft.maximum is not None and (field.maximum is None or draft.maximum < field.maximum):
        checks.append(("maximum", lambda: _bound(field, "maximum", "gt", draft.maximum)))
    if draft.pattern and draft.pattern != field.pattern:
        checks.append(("pattern", lambda: _pattern(field, draft.pattern)))
    if names := list(gone):
        used = _values(field).filter(value_option__value__in=names)
        checks.append(("options", lambda: _rows("options", used)))
    found = [check() for _rule, check in checks]
    return [impact for impact in found if impact.contacts]


def lacking(field: CustomField) -> QuerySet[Contact]:
    """The contacts that have no value in `field`."""
    has = CustomFieldValue.objects.across_organisations().filter(
        field=field, contact=OuterRef("pk")
    )
    contacts: QuerySet[Contact] = (
        Contact.objects.filter(organisation=field.organisation_id)
        .current()
        .filter(~Exists(has), redacted_at=None)
    )
    return contacts


def _values(field: CustomField) -> Any:
    rows = CustomFieldValue.objects.filter(organisation=field.organisation_id, field=field)
    return rows.of_current_contacts()


def _rows(rule: str, rows: Any, contact: str = "contact") -> Impact:
    ids = rows.order_by(contact).values_list(contact, flat=True).distinct()
    return Impact(rule, list(ids[: MOST + 1]))


def _bound(field: CustomField, rule: str, lookup: str, bound: Any) -> Impact:
    kind, values = field.kind, _values(field)
    if kind.bounds == "number":
        return _rows(rule, values.filter(**{f"{kind.column}__{lookup}": bound}))
    if kind.bounds == "length":
        measured = values.annotate(measured=Length(kind.column))
    elif kind.bounds == "count":
        measured = values.values("contact").annotate(measured=Count("pk"))
    else:
        return Impact(rule, [])
    return _rows(rule, measured.filter(**{f"measured__{lookup}": bound}))


def _pattern(field: CustomField, pattern: str) -> Impact:
    kind = field.kind
    if not kind.has_pattern:
        return Impact("pattern", [])
    found: list[int] = []
    rows = _values(field).order_by("contact").values_list("contact", kind.column)
    tried = 0
    for contact, cell in rows[: LOOKED_AT + 1].iterator():
        if tried == LOOKED_AT or len(found) > MOST:
            break
        tried += 1
        if not patterns.matches(pattern, cell):
            found.append(contact)
    else:
        return Impact("pattern", found)
    return Impact("pattern", found, partly=tried == LOOKED_AT)
