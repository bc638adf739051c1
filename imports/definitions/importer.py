"""Taking in definitions of custom fields, a row at a time: there are never many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from contacts.identity import fold
from crm.errors import Conflict
from customfields import services
from customfields.models import CustomField
from customfields.types.base import shown
from imports.batches import Batch, Failure, Record
from imports.definitions.columns import DefinitionColumns, DefinitionRow, default_for
from imports.files.source import Chunk
from imports.models import What
from imports.options import Options
from organisations.models import Organisation

COLUMNS = (
    "label",
    "type",
    "help_text",
    "required",
    "unique",
    "minimum",
    "maximum",
    "pattern",
    "default",
    "group",
    "position",
)
"""What can be given of a definition, beside its name and its options."""

Outcome = Literal["created", "updated", "unchanged"]


class _Same(Exception):
    """Nothing differs: what was written is taken back, and `updatedAt` stays."""


class DefinitionImporter:
    """Creates and changes custom fields by the rules of `customfields.services`. A row is about the
    field of its name or, without a name, of its label."""

    writes: Sequence[type[Model]] = ()

    def __init__(
        self,
        organisation: Organisation,
        columns: DefinitionColumns,
        options: Options,
        *,
        is_own: Callable[[int], bool],
        dry_run: bool,
    ) -> None:
        self._organisation = organisation
        self._columns = columns
        self._mode = options.mode
        self._is_own = is_own
        self._dry_run = dry_run

    def close(self) -> None:
        pass

    def prepare(self, chunk: Chunk) -> list[DefinitionRow]:
        return self._columns.read(chunk)

    def write(self, prepared: list[DefinitionRow], now: datetime) -> Batch:
        with transaction.atomic():
            batch = self._write(prepared, now)
            if self._dry_run:
                transaction.set_rollback(True)
        return batch

    def _write(self, rows: list[DefinitionRow], now: datetime) -> Batch:
        batch = Batch()
        created: list[int] = []
        changed: list[tuple[int, dict[str, Any] | None, datetime]] = []
        for row in rows:
            try:
                if row.error is not None:
                    raise row.error
                with transaction.atomic():
                    field, before = self._take(row.values)
            except _Same:
                batch.unchanged += 1
            except (ValidationError, Conflict) as error:
                batch.failures.append(Failure.of(row.line, error, row.cells))
            else:
                if before is None:
                    batch.created += 1
                    created.append(field.pk)
                else:
                    batch.updated += 1
                    if field.pk not in created:
                        kept = None if self._is_own(field.pk) else before
                        changed.append((field.pk, kept, field.updated_at))
        # One moment for all that is new, by which an undo knows them.
        fields = CustomField.objects.for_organisation(self._organisation)
        fields.filter(pk__in=created).update(created_at=now, updated_at=now)
        batch.records.append(Record(What.CUSTOM_FIELD, created, changed))
        return batch

    def _take(self, given: dict[str, Any]) -> tuple[CustomField, dict[str, Any] | None]:
        """Write a row; the field, and what of it differs from before (None: it is new)."""
        values = dict(given)
        field = self._find(values.get("name"), values.get("label"))
        kind = values.get("type") or (field.type if field is not None else None)
        if "default" in values:
            values["default"] = default_for(kind, values["default"])
        if field is None:
            return self._define(values), None
        if self._mode == "create":
            raise Conflict(
                _("There is a custom field %(name)s already.") % {"name": field.name}, [field.pk]
            )
        values.pop("name", None)
        before, at = _state(field), field.updated_at
        changed = services.change(field=field, values=values)
        after = _state(changed)
        if before == after:
            raise _Same
        differs: dict[str, Any] = {"at": [at.isoformat()]}
        columns = {
            name: [before[name], after[name]] for name in COLUMNS if before[name] != after[name]
        }
        if columns:
            differs["columns"] = columns
        if before["options"] != after["options"]:
            differs["options"] = [before["options"], after["options"]]
        return changed, differs

    def _define(self, values: dict[str, Any]) -> CustomField:
        if self._mode == "update":
            raise Conflict(_("There is no custom field of this name or label."))
        given = {name: value for name, value in values.items() if value is not None}
        return services.define(
            organisation=self._organisation,
            label=given.pop("label", ""),
            type=given.pop("type", ""),
            **given,
        )

    def _find(self, name: str | None, label: str | None) -> CustomField | None:
        fields = CustomField.objects.for_organisation(self._organisation)
        if name:
            return fields.filter(name=name).first()
        if not label:
            raise ValidationError(
                {"label": ValidationError(_("Give a label, or a name."), code="required")}
            )
        found = [field for field in fields.order_by("pk") if fold(field.label) == fold(label)]
        if len(found) > 1:
            raise Conflict(
                _("Several custom fields are called %(label)s: say which by its name (%(names)s).")
                % {"label": label, "names": ", ".join(field.name for field in found)},
                [field.pk for field in found],
            )
        return found[0] if found else None


def _state(field: CustomField) -> dict[str, Any]:
    """The definition in JSON, as `customfields.services.change` takes it."""
    columns = {name: getattr(field, name) for name in COLUMNS}
    options = field.options.order_by("position", "pk") if field.kind.has_options else ()
    return {
        **{
            name: shown(value) if isinstance(value, Decimal) else value
            for name, value in columns.items()
        },
        "options": [{"value": option.value, "label": option.label} for option in options],
    }
