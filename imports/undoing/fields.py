"""Definitions of custom fields that an import made or changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.errors import Conflict
from customfields import services
from customfields.models import CustomField
from imports.batches import Failure
from imports.models import Import, ImportedRow, What
from imports.undoing import elsewhere, words
from imports.undoing.records import Change, Mark, Outcome, among, changes

_ITS_OWN = ("options", "values")


def delete(run: Import, marks: Mapping[int, Mark]) -> Outcome:
    """Remove those of these definitions that nobody changed since and no contact has a value in."""
    outcome = Outcome()
    there = _there(run, marks)
    used = elsewhere.rows_of_others(CustomField, there.keys(), besides=_ITS_OWN)
    for pk, field in there.items():
        # Those that an import of contacts needs are made just before it begins.
        if field.updated_at > max(marks[pk].written_at, run.created_at):
            outcome.keep(pk, field, words.changed())
        elif pk in used:
            outcome.keep(pk, field, words.has(used[pk]))
        else:
            try:
                with transaction.atomic():
                    services.remove(field=field)
            except Conflict as error:
                outcome.keep(pk, field, error.detail)
            else:
                outcome.done += 1
    return outcome


def restore(run: Import, ids: Collection[int]) -> Outcome:
    """Give these definitions their former rules and options back, by the service's rules."""
    outcome = Outcome()
    change_of = changes(run, What.CUSTOM_FIELD, ids)
    there = _there(run, change_of)
    for pk, change in change_of.items():
        field = there.get(pk)
        if field is None:
            outcome.keep(pk, "", words.gone())
        elif field.updated_at != change.mark.written_at:
            outcome.keep(pk, field, words.changed())
        else:
            try:
                with transaction.atomic():
                    _restore(run, field, change)
            except (ValidationError, Conflict) as error:
                outcome.keep(pk, field, Failure.of(0, error, ()).reason)
            else:
                outcome.done += 1
    return outcome


def _there(run: Import, ids: Collection[int]) -> dict[int, CustomField]:
    fields = among(CustomField.objects.for_organisation(run.organisation_id), "id", ids)
    return {field.pk: field for field in fields.order_by("pk").select_for_update()}


def _restore(run: Import, field: CustomField, change: Change) -> None:
    values: dict[str, Any] = {
        name: before for name, (before, _after) in change.pairs("columns").items()
    }
    options = change.pair("options")
    if options is not None:
        values["options"] = options[0]
    moment = services.change(field=field, values=values).updated_at
    fields = CustomField.objects.for_organisation(run.organisation_id).filter(pk=field.pk)
    if change.updated_at is not None:
        moment = change.updated_at
        fields.update(updated_at=moment)
    records = ImportedRow.objects.filter(run=run, what=What.CUSTOM_FIELD, row_id=field.pk)
    records.update(undone_at=moment)
