"""Importing a file: what the commands call, and whoever else has a file to bring in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm import actors, causes
from crm.actors import Actor, Kind
from customfields import services as custom_services
from customfields import types
from customfields.definitions import Definitions
from customfields.models import CustomField
from imports import cells
from imports.activities.columns import RESERVATIONS, ActivityColumns
from imports.activities.importer import ActivityImporter
from imports.activities.service import WHATS as RESERVATION_WHATS
from imports.batches import Watcher, ranges
from imports.definitions.columns import DefinitionColumns
from imports.definitions.importer import DefinitionImporter
from imports.definitions.vocabulary import definition_vocabulary
from imports.errors_file import ErrorsFile, Refusals
from imports.files.opening import Opened
from imports.files.source import Unusable
from imports.files.spreadsheet import CLEAR, unguard
from imports.headers import (
    activity_vocabulary,
    add_custom_fields,
    contact_vocabulary,
    match,
    plain,
    quoted,
    refuse_unknown,
)
from imports.models import CreatedRange, Import, What
from imports.options import NewField, Options
from imports.people.columns import PeopleColumns
from imports.people.importer import PeopleImporter
from imports.runs import OwnRows, Progress, Report, Running
from organisations.models import Organisation

_LONGEST_LABEL = 120


@dataclass(frozen=True)
class Door:
    """How a door wants an import to be run: where errors go, and who is told how far it is."""

    errors_path: Path | None = None
    dry_run: bool = False
    progress: Progress | None = None
    announce: Callable[[str], None] | None = None
    errors: Refusals | None = None
    """Where rows go that fail, instead of a file."""
    watcher: Watcher | None = None
    """Who looks at the rows of a dry run."""
    begun: Callable[[Import], None] | None = None
    """Told which import it is, once that is written down."""

    def say(self, sentence: str) -> None:
        """Tell something that people should know before it begins."""
        if self.announce is not None:
            self.announce(sentence)


def import_contacts(
    *, organisation: Organisation, file: Opened, options: Options, door: Door
) -> Report:
    """Create and update contacts from a file, by the rules of `contacts.services.upsert`.

    Goes on where an earlier run of the same file with the same options was stopped. Memory stays
    flat. Raises Unusable, with nothing written, when the file or its columns cannot be used.
    """
    organisation = _in_country(organisation, options.country)
    run = None if door.dry_run else _unfinished(organisation, Import.Kind.CONTACTS, file, options)
    planned: list[CustomField] = []
    if run is None:
        targets, new_fields = _plan_contacts(organisation, file, options)
        _say_if_done(organisation, Import.Kind.CONTACTS, file, options, door)
        errors = _errors_file(file, door, None)
        if door.dry_run:
            planned = _as_if_made(organisation, new_fields, targets)
        else:
            run = _begin(
                organisation,
                Import.Kind.CONTACTS,
                file,
                options,
                targets=targets,
                new_fields=new_fields,
            )
            targets = run.mapping
    else:
        targets = run.mapping
        errors = _errors_file(file, door, run)
        _say_goes_on(run, door)
    _note_begun(run, errors, door)
    known = Definitions.of(organisation)
    definitions = Definitions(organisation, [*known.fields, *planned]) if planned else known
    columns = PeopleColumns(
        organisation,
        [targets[header] for header in file.source.headers],
        definitions,
        options,
        guarded=file.guarded,
    )
    own = OwnRows(run)
    importer = PeopleImporter(
        organisation, columns, options, is_own=own, dry_run=door.dry_run, watcher=door.watcher
    )
    running = Running(file.source, importer, run, errors, {What.CONTACT: own}, door.progress)
    _say_if_news(organisation, options, door)
    with causes.quiet(options.backfill), actors.acting(_by(run)):
        return running.to_end()


def import_activities(
    *, organisation: Organisation, file: Opened, options: Options, door: Door
) -> Report:
    """Record activities from a file, by the rules of `activities.services.record`, and the contacts
    whose they are.

    Goes on where an earlier run of the same file with the same options was stopped. Memory stays
    flat. Raises Unusable, with nothing written, when the file or its columns cannot be used.
    """
    organisation = _in_country(organisation, options.country)
    run, targets, errors = _open(
        organisation, Import.Kind.ACTIVITIES, file, options, door, plan=_plan_activities
    )
    columns = ActivityColumns(
        organisation,
        targets,
        Definitions.of(organisation),
        options,
        guarded=file.guarded,
    )
    whats: tuple[str, ...] = (What.CONTACT, *RESERVATION_WHATS.values())
    own = {what: OwnRows(run, what) for what in whats}
    importer = ActivityImporter(
        organisation, columns, options, own=own, dry_run=door.dry_run, watcher=door.watcher
    )
    running = Running(file.source, importer, run, errors, own, door.progress)
    _say_if_news(organisation, options, door)
    # Of history nothing is news: nor the contacts that it brings, nor the segments they enter.
    with causes.quiet(options.backfill), actors.acting(_by(run)):
        return running.to_end()


def import_custom_fields(
    *, organisation: Organisation, file: Opened, options: Options, door: Door
) -> Report:
    """Create and change definitions of custom fields from a file, by the rules of
    `customfields.services`.

    Goes on where an earlier run of the same file with the same options was stopped. Raises
    Unusable, with nothing written, when the file or its columns cannot be used.
    """
    run, targets, errors = _open(
        organisation, Import.Kind.CUSTOM_FIELDS, file, options, door, plan=_plan_custom_fields
    )
    columns = DefinitionColumns(targets, guarded=file.guarded)
    own = OwnRows(run, What.CUSTOM_FIELD)
    importer = DefinitionImporter(organisation, columns, options, is_own=own, dry_run=door.dry_run)
    return Running(
        file.source, importer, run, errors, {What.CUSTOM_FIELD: own}, door.progress
    ).to_end()


def _open(
    organisation: Organisation,
    kind: str,
    file: Opened,
    options: Options,
    door: Door,
    *,
    plan: Callable[[Opened, Options], dict[str, str]],
) -> tuple[Import | None, list[str], Refusals | None]:
    """The import that goes on or begins (none in a dry run), what each column is, and where rows
    go that fail."""
    run = None if door.dry_run else _unfinished(organisation, kind, file, options)
    if run is None:
        targets = plan(file, options)
        _say_if_done(organisation, kind, file, options, door)
        errors = _errors_file(file, door, None)
        if not door.dry_run:
            run = _begin(organisation, kind, file, options, targets=targets)
    else:
        targets = run.mapping
        errors = _errors_file(file, door, run)
        _say_goes_on(run, door)
    _note_begun(run, errors, door)
    return run, [targets[header] for header in file.source.headers], errors


def _in_country(organisation: Organisation, country: str | None) -> Organisation:
    """The organisation as one that reads phone numbers in another country."""
    if country is None or country == organisation.country:
        return organisation
    other = copy.copy(organisation)  # of its own: it is not the one that others hold
    other.country = country
    return other


def _by(run: Import | None) -> Actor:
    """Who brings the rows: the import, and nobody in particular in a dry run."""
    return Actor(Kind.IMPORT, run.pk, run.file_name) if run is not None else actors.SYSTEM


def _unfinished(
    organisation: Organisation, kind: str, file: Opened, options: Options
) -> Import | None:
    """The import of this file with these options that was stopped on its way, if there is one."""
    return _latest(organisation, kind, file, options, Import.Status.RUNNING)


def _latest(
    organisation: Organisation, kind: str, file: Opened, options: Options, status: str
) -> Import | None:
    wanted = options.to_json()
    runs = Import.objects.for_organisation(organisation).filter(
        kind=kind, digest=file.digest, status=status
    )
    found = next((run for run in runs.order_by("-pk") if run.options == wanted), None)
    if found is not None:
        found.organisation = organisation
    return found


def _say_goes_on(run: Import, door: Door) -> None:
    door.say(f"Going on with import {run.pk} after row {run.rows_done:,}.")


def _say_if_done(
    organisation: Organisation, kind: str, file: Opened, options: Options, door: Door
) -> None:
    """Warn of a file that was imported before, which somebody may have forgotten."""
    run = _latest(organisation, kind, file, options, Import.Status.COMPLETED)
    if run is not None:
        again = (
            " What has no external reference is recorded once more."
            if kind == Import.Kind.ACTIVITIES
            else ""
        )
        door.say(f"This very file was imported already, as import {run.pk}.{again}")


def _say_if_news(organisation: Organisation, options: Options, door: Door) -> None:
    """Warn that the rows may start something, which somebody who brings history may not want."""
    if organisation.listens_to and not (options.backfill or door.dry_run):
        door.say(
            "Workflows and webhooks hear of these rows as if each had just been posted. Say"
            " --backfill for history."
        )


def _begin(
    organisation: Organisation,
    kind: str,
    file: Opened,
    options: Options,
    *,
    targets: dict[str, str],
    new_fields: Mapping[str, NewField] = MappingProxyType({}),
) -> Import:
    """Write down that an import begins, and make the custom fields that it needs (`new_fields`, by
    header)."""
    with transaction.atomic():
        now = timezone.now()
        made = {header: _define(organisation, header, new) for header, new in new_fields.items()}
        by = actors.current()
        run = Import.objects.create(
            organisation=organisation,
            kind=kind,
            file_name=file.name[:255],
            digest=file.digest,
            options=options.to_json(),
            rows_about=file.source.about,
            by_kind=by.kind,
            by_name=by.name[: actors.LONGEST_NAME],
            mapping=targets | {header: _target(field) for header, field in made.items()},
        )
        _note_fields(run, list(made.values()), now)
    return run


def _define(organisation: Organisation, header: str, new: NewField) -> CustomField:
    try:
        return custom_services.define(organisation=organisation, label=new.label, type=new.type)
    except ValidationError as error:
        reason = " ".join(reason for _field, reason in cells.reasons(error))
        raise Unusable(f'No custom field can be made of the column "{header}": {reason}') from None


def _target(field: CustomField) -> str:
    return f"custom_fields.{field.name}"


def _as_if_made(
    organisation: Organisation, new_fields: Mapping[str, NewField], targets: dict[str, str]
) -> list[CustomField]:
    """The custom fields that a dry run would make, of which nobody else knows."""
    there = CustomField.objects.for_organisation(organisation).values_list("name", flat=True)
    taken = set(there) if new_fields else set()
    fields = [
        CustomField(
            # An id of its own, so that they can be told apart.
            pk=-place,
            organisation=organisation,
            name=_free(plain(header), place, taken),
            label=new.label,
            type=new.type,
            updated_at=timezone.now(),
        )
        for place, (header, new) in enumerate(new_fields.items(), start=1)
    ]
    for header, field in zip(new_fields, fields, strict=True):
        targets[header] = _target(field)
    return fields


def _free(name: str, place: int, taken: set[str]) -> str:
    return name if name and name not in taken else f"{name or 'column'}{place}"


def _note_fields(run: Import, fields: Sequence[CustomField], now: datetime) -> None:
    CreatedRange.objects.bulk_create(
        CreatedRange(run=run, what=What.CUSTOM_FIELD, first_id=first, last_id=last, written_at=now)
        for first, last in ranges(field.pk for field in fields)
    )


def _errors_file(file: Opened, door: Door, run: Import | None) -> Refusals | None:
    """Where rows that fail go. A dry run keeps them only when told where."""
    if door.errors is not None:
        return door.errors
    path = door.errors_path
    if path is None:
        if door.dry_run:
            return None
        if run is not None and run.errors_file:
            path = Path(run.errors_file)
        elif file.path is not None:
            path = file.path.with_name(f"{file.path.name}.errors.csv")
        else:
            path = Path("import.errors.csv")
    errors = ErrorsFile(path.absolute(), file.source.headers)
    errors.check()
    if run is not None:
        errors.size = run.errors_bytes
        if run.errors_file:
            errors.take_over(Path(run.errors_file))
    return errors


def _note_begun(run: Import | None, errors: Refusals | None, door: Door) -> None:
    if run is None:
        return
    if errors is not None and run.errors_file != errors.place:
        run.errors_file = errors.place
        run.save(update_fields=["errors_file", "updated_at"])
    if door.begun is not None:
        door.begun(run)


def _plan_contacts(
    organisation: Organisation, file: Opened, options: Options
) -> tuple[dict[str, str], dict[str, NewField]]:
    """What each column is, and for those that nobody knows the custom field to be made of them.
    Reads the file once for each of these whose type was not said."""
    vocabulary = contact_vocabulary()
    fields = CustomField.objects.for_organisation(organisation)
    add_custom_fields(
        vocabulary,
        fields.filter(archived_at=None).order_by("-pk").values_list("name", "label"),
    )
    for name, label in fields.exclude(archived_at=None).values_list("name", "label"):
        hint = _("it is a custom field that is archived: bring it back before writing to it.")
        vocabulary.read_only |= dict.fromkeys((plain(name), plain(label)), hint)
    said = {
        header: options.new_fields[header]
        for header in file.source.headers
        if header in options.new_fields
    }
    matched = match(
        [header for header in file.source.headers if header not in said],
        vocabulary,
        options.mapping,
    )
    if not options.create_fields:
        refuse_unknown(
            matched.unknown,
            'Say --create-fields to make custom fields of them, or --map "Header=field" for what'
            ' they are (--map "Header=" leaves a column out).',
        )
    if not {"email_address", "phone_number", "id"} & set(matched.targets.values()):
        raise Unusable(
            "No column has an e-mail address or a phone number, so nobody can be told from anybody"
            f" (the columns are {quoted(file.source.headers)});"
            ' say which it is with --map "Header=emailAddress".'
        )
    inferred = {
        header: NewField(
            header[:_LONGEST_LABEL],
            types.infer(_texts(file, header, options), organisation.country),
        )
        for header in matched.unknown
    }
    return matched.targets, said | inferred


def _plan_activities(file: Opened, options: Options) -> dict[str, str]:
    """What each column is."""
    vocabulary = activity_vocabulary(RESERVATIONS)
    matched = match(file.source.headers, vocabulary, options.mapping)
    refuse_unknown(
        matched.unknown,
        'Say --map "Header=field" for what it is, --map "Header=data.name" to keep it with the'
        ' activity, or --map "Header=" to leave it out.',
    )
    found = set(matched.targets.values())
    listed = quoted(file.source.headers)
    if not {"contact.id", "contact.email_address", "contact.phone_number"} & found:
        raise Unusable(
            "No column has the contact's id, an e-mail address or a phone number, so nobody knows"
            f" whose the activities are (the columns are {listed});"
            ' say which it is with --map "Header=emailAddress".'
        )
    for target, name, given in (
        ("type", "type", options.type),
        ("source", "source", options.source),
        ("happened_at", "happenedAt", None),
    ):
        if target not in found and given is None:
            alike = f" or give it for all with --{target}" if target != "happened_at" else ""
            raise Unusable(
                f"No column has the {name} of the activities (the columns are {listed});"
                f' say which it is with --map "Header={name}"{alike}.'
            )
    return matched.targets


def _plan_custom_fields(file: Opened, options: Options) -> dict[str, str]:
    """What each column is."""
    matched = match(file.source.headers, definition_vocabulary(), options.mapping)
    refuse_unknown(
        matched.unknown,
        'Say what they are with --map "Header=field", or leave them out with --map "Header=".',
    )
    if not {"name", "label"} & set(matched.targets.values()):
        raise Unusable(
            "No column has the name or the label of the custom fields"
            f" (the columns are {quoted(file.source.headers)});"
            ' say which it is with --map "Header=label".'
        )
    return matched.targets


def _texts(file: Opened, header: str, options: Options) -> Iterator[str]:
    """The different texts of a column, as far as memory allows to tell."""
    index = file.source.headers.index(header)
    seen: set[str] = set()
    for chunk in file.source.chunks():
        for row in chunk.rows:
            cell = row[index]
            text = str(cell)
            if not cell or text in seen:
                continue
            if len(seen) < 10_000:
                seen.add(text)
            text = (unguard(text) if file.guarded else text).strip()
            if text == CLEAR:
                continue
            if options.date_format:
                with suppress(ValidationError):
                    text = cells.day(text, options.date_format).isoformat()
            yield text
