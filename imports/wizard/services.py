"""What people do with an upload, step by step. Each says in which stages it may be done: whoever
is late (a second tab, a colleague) is told so with a Conflict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from contacts.identity import fold
from contacts.models import Tag
from contacts.services.tags import refuse_rules
from contacts.services.values import read_tag_names
from crm import actors
from crm.errors import Conflict
from imports.headers import IGNORE
from imports.models import Import
from imports.wizard import guessing, storage
from imports.wizard.models import Correction, PreviewRow, SavedMapping, Upload
from imports.wizard.preview import check_row
from imports.wizard.targets import KEPT, NEW, Fields, new_field_types
from organisations.models import Organisation

Stage = Upload.Stage

LONGEST_LABEL = 120
_OPEN = (Stage.READING, Stage.UNUSABLE, Stage.COLUMNS, Stage.CHECKING, Stage.CHECKED)


@transaction.atomic
def upload(*, organisation: Organisation, user: User, kind: str, file: UploadedFile[Any]) -> Upload:
    """Take in a file, to be read by a worker."""
    made: Upload = Upload.objects.create(
        organisation=organisation,
        kind=kind,
        file_name=(file.name or "")[-255:],
        size=file.size or 0,
        digest=storage.digest_of(file),
        user=user,
        user_name=actors.staff(user).name[:255],
        language=get_language() or "",
    )
    storage.keep(made, file)
    return made


def imported_before(one: Upload) -> Import | None:
    """The latest import of this very content that still stands. One query."""
    runs = Import.objects.for_organisation(one.organisation_id).filter(digest=one.digest)
    standing = (Import.Status.RUNNING, Import.Status.COMPLETED)
    # The rows of one digest are few, and the index finds them.
    earlier = [run for run in runs.order_by("-pk") if run.status in standing]
    return next((run for run in earlier if run.pk != one.run_id), None)


def read_again(*, one: Upload, reading: Mapping[str, str]) -> None:
    """Have the file read in another way; what was chosen and corrected for the old one goes."""
    with transaction.atomic():
        _move(one, _OPEN, Stage.READING, reading=dict(reading), problem="", chosen=False)
        _forget_preview(one)
        Correction.objects.filter(upload=one).delete()


def choose(*, one: Upload, choices: Mapping[str, Any]) -> None:
    """Say what the columns are and how they are meant, and have it rehearsed.

    Raises ValidationError by column (`columns.HEADER`, `new.HEADER`) and by option.
    """
    checked = _checked(one, choices)
    with transaction.atomic():
        _move(
            one,
            _OPEN,
            Stage.CHECKING,
            choices=checked,
            chosen=True,
            problem="",
            language=get_language() or "",
        )
        _forget_preview(one)


def keep_choices(*, one: Upload, choices: Mapping[str, Any]) -> None:
    """Keep what was chosen so far, right or wrong, for whoever goes back a step."""
    if one.stage == Stage.COLUMNS:
        _move(one, (Stage.COLUMNS,), Stage.COLUMNS, choices=dict(choices), chosen=True)


def check_again(*, one: Upload) -> None:
    """Rehearse once more, with what was corrected."""
    with transaction.atomic():
        _move(one, (Stage.CHECKED, Stage.COLUMNS), Stage.CHECKING, problem="")
        _forget_preview(one)


def back_to_columns(*, one: Upload) -> None:
    """End a rehearsal that takes too long."""
    _move(one, (Stage.CHECKING,), Stage.COLUMNS)


@transaction.atomic
def correct(*, one: Upload, line: int, cells: Mapping[str, str]) -> PreviewRow:
    """Keep what was typed into a row that failed, and see how it fares now.

    Raises PreviewRow.DoesNotExist, Conflict, Unusable.
    """
    current = _locked(one)
    if current.stage != Stage.CHECKED:
        raise _late(current)
    row = PreviewRow.objects.get(upload=current, place="failed", line=line)
    shown = dict(zip(current.headers, row.cells, strict=False))
    given = {
        header: cells[header].replace("\0", "")
        for header in current.headers
        if header in cells and cells[header] != shown.get(header, "")
    }
    correction, _created = Correction.objects.update_or_create(
        upload=current, line=line, defaults={"cells": given}
    )
    was, before = row.outcome, _paths(row)
    row = check_row(current, row, correction)
    row.save()
    counts = dict(current.counts)
    counts[was] -= 1
    counts[row.outcome] += 1
    fields: Counter[str] = Counter(counts.get("fields", {}))
    fields.subtract(before)
    fields.update(_paths(row))
    counts["fields"] = {path: number for path, number in fields.most_common() if number > 0}
    current.counts = counts
    current.save(update_fields=["counts", "updated_at"])
    one.counts = counts
    return row


def _paths(row: PreviewRow) -> set[str]:
    return {path for path, _reason in row.reasons}


@transaction.atomic
def start(*, one: Upload) -> None:
    """Have it imported, and remember what such columns are."""
    _move(one, (Stage.CHECKED,), Stage.RUNNING, problem="", rows_done=0)
    choices = {**one.choices, "options": _lasting(one.choices.get("options", {}))}
    SavedMapping.objects.for_organisation(one.organisation_id).update_or_create(
        organisation=one.organisation,
        kind=one.kind,
        signature=guessing.signature(one.headers),
        defaults={"choices": choices},
    )


def stop(*, one: Upload) -> None:
    """Have it stop after the rows at hand. What is in stays in."""
    _move(one, (Stage.RUNNING,), Stage.STOPPING)


def go_on(*, one: Upload) -> None:
    """Go on where it was stopped."""
    if one.run is not None and one.run.status != Import.Status.RUNNING:
        raise Conflict(_("What it had imported was undone. Upload the file again."))
    _move(one, (Stage.STOPPED,), Stage.RUNNING, problem="")


def discard(*, one: Upload) -> None:
    """Forget a file that was not imported."""
    with transaction.atomic():
        current = _locked(one)
        if not current.is_open:
            raise _late(current)
        current.delete()


def is_stopped(run: Import) -> bool:
    """Whether the wizard stopped this import on its way, so that it may be undone as it is. One
    query."""
    uploads = Upload.objects.for_organisation(run.organisation_id)
    return uploads.filter(run=run, stage=Stage.STOPPED).exists()


def close(run: Import) -> None:
    """Bring an import to its end that was stopped and is not to go on. The content goes."""
    for one in Upload.objects.for_organisation(run.organisation_id).filter(
        run=run, stage=Stage.STOPPED
    ):
        with transaction.atomic():
            _move(one, (Stage.STOPPED,), Stage.DONE)
            storage.forget(one)


def _locked(one: Upload) -> Upload:
    uploads = Upload.objects.for_organisation(one.organisation_id).select_for_update()
    current = uploads.get(pk=one.pk)
    current.organisation = one.organisation
    return current


def _move(one: Upload, stages: Sequence[str], to: str, **values: Any) -> None:
    """Take the upload from one of these stages to another, and whatever worker was at it off it."""
    fresh = {**values, "stage": to, "attempts": 0, "updated_at": timezone.now()}
    if to != Stage.STOPPING:  # whoever runs it still has to say where it stopped
        fresh |= {"lease": None, "leased_until": None, "started_at": None}
    if to in (Stage.READING, Stage.CHECKING):
        fresh["rows_done"] = 0
    rows = Upload.objects.for_organisation(one.organisation_id).filter(pk=one.pk)
    if not rows.filter(stage__in=stages).update(**fresh):
        raise _late(rows.get())
    for name, value in fresh.items():
        setattr(one, name, value)


def _late(current: Upload) -> Conflict:
    return Conflict(
        _("This is not possible any more: the file is “%(stage)s”.")
        % {"stage": current.get_stage_display()}
    )


def _forget_preview(one: Upload) -> None:
    PreviewRow.objects.filter(upload=one).delete()


def _lasting(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that go with files of this kind, not with this one file."""
    return {name: value for name, value in options.items() if name not in ("add_tags", "backfill")}


# Checking what was chosen.


def _checked(one: Upload, choices: Mapping[str, Any]) -> dict[str, Any]:
    columns = {header: choices["columns"].get(header, IGNORE) for header in one.headers}
    options = dict(choices.get("options", {}))
    errors: dict[str, list[str]] = {}
    fields = Fields.of(one.organisation, one.kind)
    _check_columns(columns, fields, errors)
    new = _check_new(columns, choices.get("new", {}), fields, errors)
    _check_needed(columns, options, one.kind, errors)
    options["add_tags"] = _check_tags(one, options.get("add_tags", ()), errors)
    if errors:
        raise ValidationError(errors)
    return {"columns": columns, "new": new, "options": options}


def _check_columns(
    columns: Mapping[str, str], fields: Fields, errors: dict[str, list[str]]
) -> None:
    labels = fields.labels()
    first: dict[str, str] = {}
    for header, target in columns.items():
        if target == IGNORE:
            continue
        if target not in labels and fields.vocabulary.find(fields.name_of(target, header)) is None:
            errors[f"columns.{header}"] = [_("There is no such field any more: choose another.")]
        elif target in first and target not in (NEW, KEPT):
            message = _("“%(other)s” is %(field)s too: only one column can be.")
            params = {"other": first[target], "field": labels.get(target, target)}
            errors[f"columns.{header}"] = [message % params]
        first.setdefault(target, header)


def _check_new(
    columns: Mapping[str, str],
    given: Mapping[str, Mapping[str, str]],
    fields: Fields,
    errors: dict[str, list[str]],
) -> dict[str, dict[str, str]]:
    new: dict[str, dict[str, str]] = {}
    taken = {fold(one.label) for one in fields.custom}
    types = {name for name, _label in new_field_types()}
    for header, target in columns.items():
        if target != NEW:
            continue
        label = " ".join(given.get(header, {}).get("label", "").split())
        kind = given.get(header, {}).get("type", "")
        where = f"new.{header}"
        if not label:
            errors[where] = [_("Give the new field a name.")]
        elif len(label) > LONGEST_LABEL:
            errors[where] = [_("At most %(number)d characters.") % {"number": LONGEST_LABEL}]
        elif fold(label) in taken:
            errors[where] = [_("There is a field of this name: choose it, or give another name.")]
        elif kind not in types:
            errors[where] = [_("Choose a type.")]
        taken.add(fold(label))
        new[header] = {"label": label, "type": kind}
    return new


def _check_needed(
    columns: Mapping[str, str],
    options: Mapping[str, Any],
    kind: str,
    errors: dict[str, list[str]],
) -> None:
    found = set(columns.values())
    if kind == Upload.Kind.CONTACTS:
        if not {"email_address", "phone_number", "id"} & found:
            errors[""] = [
                _(
                    "Say which column has the e-mail address or the phone number: nobody can be"
                    " told from anybody without one."
                )
            ]
        return
    if not {"contact.id", "contact.email_address", "contact.phone_number"} & found:
        errors[""] = [
            _(
                "Say which column has the contact's e-mail address, phone number or id: nobody"
                " knows whose the activities are without one."
            )
        ]
    if "happened_at" not in found:
        errors.setdefault("", []).append(_("Say which column has the time at which it happened."))
    for name, message in (
        ("type", _("Choose the type for all rows, or say which column has it.")),
        ("source", _("Say where it happened for all rows, or which column has it.")),
    ):
        if name not in found and not options.get(name):
            errors[name] = [message]


def _check_tags(one: Upload, names: Iterable[str], errors: dict[str, list[str]]) -> list[str]:
    try:
        tidy = read_tag_names(list(names))
        tags = Tag.objects.for_organisation(one.organisation_id)
        refuse_rules(tags.filter(key__in=[fold(name) for name in tidy]))
    except ValidationError as error:
        errors["add_tags"] = error.messages
        return list(names)
    return tidy
