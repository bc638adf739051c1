"""Contacts that an import created: deleted with all that the import hung on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from contacts.history.models import ContactChange
from contacts.models import (
    Address,
    Contact,
    ContactRollup,
    ContactTag,
    SpendInCurrency,
    Tag,
)
from contacts.signals import contacts_deleted
from customfields.models import CustomFieldValue
from imports.models import Import, ImportedRow, What
from imports.undoing import elsewhere, words
from imports.undoing.records import Mark, Outcome, among, forget, moment

# What goes with a contact, by the names that it knows them by. Whatever else points at it is
# somebody's who would lose it.
_ITS_OWN: dict[str, type[models.Model]] = {
    "rollup": ContactRollup,
    "foreign_spend": SpendInCurrency,
    "addresses": Address,
    "tag_links": ContactTag,
    "custom_field_values": CustomFieldValue,
    "history": ContactChange,
}


def take_back(run: Import, marks: Mapping[int, Mark]) -> Outcome:
    """Delete those of these contacts that nobody touched since. About twenty queries."""
    outcome = Outcome()
    contacts = among(Contact.objects.for_organisation(run.organisation_id), "id", marks)
    # Whoever would hang something on them waits here, and then finds them gone.
    there = contacts.order_by("pk").select_for_update()
    reasons: dict[int, str] = {}
    good = set()
    columns = ("pk", "updated_at", "merged_into", "redacted_at")
    for pk, updated_at, survivor, redacted_at in there.values_list(*columns):
        if survivor is not None:
            reasons[pk] = words.merged(survivor)
        elif redacted_at is not None:
            reasons[pk] = words.redacted()
        elif updated_at != marks[pk].written_at:
            reasons[pk] = words.changed()
        else:
            good.add(pk)
    pointing = elsewhere.rows_of_others(Contact, good, besides=_ITS_OWN)
    reasons |= {pk: words.has(rows) for pk, rows in pointing.items()}
    good -= reasons.keys()
    changed = _changed_parts(_touched(run, {pk: marks[pk] for pk in good}))
    reasons |= {pk: words.changed_part(part) for pk, part in changed.items()}
    good -= reasons.keys()
    if reasons:
        named = among(Contact.objects.for_organisation(run.organisation_id), "id", reasons)
        for pk, contact in named.in_bulk().items():
            outcome.keep(pk, contact, reasons[pk])
    tags = _tags(good)
    if good:
        contacts_deleted.send(Contact, organisation=run.organisation, ids=sorted(good))
    for model in _ITS_OWN.values():
        elsewhere.delete(model, "contact_id", good)
    outcome.done = elsewhere.delete(Contact, "id", good)
    delete_unused_tags(run, tags)
    forget(run.organisation_id, good)
    return outcome


def _touched(run: Import, marks: Mapping[int, Mark]) -> dict[int, Mark]:
    """Those of which something changed after the import, unless an undo took that back: nobody
    writes to a contact without moving its totals' `changed_at`."""
    totals = among(ContactRollup.objects.for_organisation(run.organisation_id), "contact_id", marks)
    latest = {
        pk: changed_at
        for pk, changed_at in totals.values_list("pk", "changed_at")
        if changed_at > marks[pk].settled_at
    }
    before = _undone(run, latest)
    touched = {}
    for pk, changed_at in latest.items():
        found: datetime | None = changed_at
        while found is not None and found > marks[pk].settled_at:
            found = before.get((pk, found))
        if found is None:
            touched[pk] = marks[pk]
    return touched


def _undone(run: Import, ids: Collection[int]) -> dict[tuple[int, datetime], datetime | None]:
    """Of these contacts, the `changed_at` that undone imports left and the one before they were
    made: as long as the first stands, all is as it was at the second."""
    if not ids:
        return {}
    runs = Import.objects.for_organisation(run.organisation_id).filter(
        status__in=[Import.Status.UNDOING, Import.Status.UNDONE]
    )
    rows = ImportedRow.objects.filter(run__in=runs.values("pk"), what=What.CONTACT)
    found: dict[tuple[int, datetime], datetime | None] = {}
    undone = among(rows.filter(undone_at__isnull=False), "row_id", ids).order_by("pk")
    for pk, undone_at, before in undone.values_list("row_id", "undone_at", "before"):
        assert undone_at is not None  # it was asked for
        # Of several rows of one import, the first knows what was before it.
        found.setdefault((pk, undone_at), moment((before or {}).get("at"), 1))
    return found


def _changed_parts(marks: Mapping[int, Mark]) -> dict[int, str]:
    """What of these contacts is newer than the import left it. Three queries."""
    if not marks:
        return {}
    found: dict[int, str] = {}

    def look(rows: Any, column: str, newest: str, part: str) -> None:
        for pk, value in among(rows.order_by(), "contact_id", marks).values_list(
            "contact_id", column
        ):
            if value > getattr(marks[pk], newest):
                found.setdefault(pk, part)

    # A segment's tags follow its rule: nobody put them on.
    tags = ContactTag._base_manager.exclude(tag__kind=Tag.Kind.SEGMENT)
    look(tags, "created_at", "settled_at", _("tags"))
    look(CustomFieldValue._base_manager.all(), "updated_at", "settled_at", _("custom fields"))
    look(Address._base_manager.all(), "pk", "newest_address", _("addresses"))
    return found


def _tags(ids: Collection[int]) -> set[int]:
    links = among(ContactTag._base_manager.order_by(), "contact_id", ids)
    return set(links.values_list("tag", flat=True).distinct())


def delete_unused_tags(run: Import, tags: Collection[int]) -> None:
    """Delete those of these tags that came with the import and that nobody carries any more."""
    if not tags:
        return
    made = among(Tag.objects.for_organisation(run.organisation_id), "id", tags).filter(
        kind=Tag.Kind.MANUAL, created_at__gte=run.created_at
    )
    # First locked, then looked at: nobody puts one on a contact in between.
    ids = set(made.order_by("pk").select_for_update().values_list("pk", flat=True))
    carried = ContactTag.objects.across_organisations().filter(tag=OuterRef("pk"))
    unused = made.filter(~Exists(carried)).values_list("pk", flat=True)
    elsewhere.delete(Tag, "id", ids & set(unused))
