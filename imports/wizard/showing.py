"""What the pages of the wizard show of an upload, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from activities.models import Activity
from contacts.admin.history import Line, labels, shown
from contacts.models import Contact
from crm import money
from imports.headers import ERROR_COLUMNS, IGNORE, plain
from imports.models import CreatedRange, Import, What
from imports.past import told
from imports.wizard.models import Correction, PreviewRow, Upload
from imports.wizard.targets import NEW, Fields, Group, new_field_types, target_of

FAILED_A_PAGE = 25
Stage = Upload.Stage


@dataclass(frozen=True)
class Step:
    """A step of the wizard, for the line above each page."""

    number: int
    name: str
    state: str
    """`done`, `current` or `ahead`."""
    url: str = ""


def url(one: Upload, page: str) -> str:
    """The address of one of its pages."""
    return reverse(f"admin:imports_import_{page}", args=[one.pk])


def steps(one: Upload | None, current: str) -> list[Step]:
    """The five steps; those that can be gone to have an address."""
    names = {
        "file": _("File"),
        "columns": _("Columns"),
        "preview": _("Preview"),
        "run": _("Import"),
        "report": _("Report"),
    }
    at = list(names).index(current)
    reachable = _reachable(one) if one is not None else set()
    return [
        Step(
            number + 1,
            name,
            "current" if number == at else "done" if number < at else "ahead",
            url(one, page) if one is not None and page in reachable and page != current else "",
        )
        for number, (page, name) in enumerate(names.items())
    ]


def _reachable(one: Upload) -> set[str]:
    if not one.is_open:
        return {page_of(one)}
    found = {"file"}
    if one.stage in (Stage.COLUMNS, Stage.CHECKING, Stage.CHECKED):
        found.add("columns")
    if one.stage in (Stage.CHECKING, Stage.CHECKED):
        found.add("preview")
    return found


def page_of(one: Upload) -> str:
    """The page on which it goes on."""
    return {
        Stage.READING: "file",
        Stage.UNUSABLE: "file",
        Stage.COLUMNS: "columns",
        Stage.CHECKING: "preview",
        Stage.CHECKED: "preview",
        Stage.DONE: "report",
    }.get(Stage(one.stage), "run")


# Progress.


def progress(one: Upload) -> dict[str, Any]:
    """How far it is, in figures and in words."""
    about = max(one.found.get("about", 0), 1)
    # What the import says is committed with its rows.
    done = one.run.rows_done if one.run is not None else one.rows_done
    waiting = one.lease is None and one.stage in Upload.DUE
    rate = _rate(one)
    left = max(about - done, 0) / rate if rate else None
    percent = min(99, done * 100 // about) if one.stage != Stage.DONE else 100
    return {
        "stage": one.stage,
        "page": url(one, page_of(one)),
        "percent": percent,
        "started": done > 0,
        "rows": _("%(done)s of about %(about)s rows") % {"done": _n(done), "about": _n(about)},
        "rate": _("%(rate)s rows a second") % {"rate": _n(round(rate))} if rate else "",
        "left": _left(left) if left is not None and done < about else "",
        "failed": _failed(one),
        "says": _says(one, waiting),
        "waits": waiting and (timezone.now() - one.updated_at).total_seconds() > 10,
    }


def _rate(one: Upload) -> float:
    """Rows a second: of an import since it began, of a rehearsal since this worker did."""
    if one.run is not None and one.run.seconds:
        return one.run.rows_done / one.run.seconds
    if one.started_at is not None and one.rows_done:
        seconds = (one.updated_at - one.started_at).total_seconds()
        return one.rows_done / seconds if seconds > 0 else 0
    return 0


def _left(seconds: float) -> str:
    if seconds < 60:
        number = max(1, round(seconds))
        return ngettext("%(number)d second left", "%(number)d seconds left", number) % {
            "number": number
        }
    number = round(seconds / 60)
    return ngettext("about %(number)d minute left", "about %(number)d minutes left", number) % {
        "number": number
    }


def _failed(one: Upload) -> str:
    failed = one.run.failed_rows if one.run is not None else 0
    if not failed:
        return ""
    text = ngettext("%(number)s row failed so far", "%(number)s rows failed so far", failed)
    return text % {"number": _n(failed)}


def _says(one: Upload, waiting: bool) -> str:
    if one.stage == Stage.STOPPING:
        return _("It stops after the rows at hand.")
    if waiting:
        return _("Waiting for a worker …")
    return {
        Stage.READING: _("The file is being read …"),
        Stage.CHECKING: _("Every row is tried out, and nothing is written …"),
        Stage.RUNNING: _("The rows are being imported …"),
    }.get(Stage(one.stage), str(one.get_stage_display()))


def _n(number: int) -> str:
    return f"{number:,}"


# Columns.


@dataclass
class Column:
    """A column of the file, and what it is said to be."""

    index: int
    header: str
    samples: Sequence[str]
    target: str
    hint: str = ""
    """Why it cannot be what its name says."""
    label: str = ""
    type: str = ""
    errors: Sequence[str] = ()
    new_errors: Sequence[str] = ()
    extra: str = ""
    """The label of a target that is not among those offered."""

    @property
    def is_new(self) -> bool:
        return self.target == NEW

    @property
    def is_known(self) -> bool:
        return self.target != IGNORE


@dataclass
class Sheet:
    """The columns of an upload, as the page shows them."""

    columns: list[Column]
    groups: list[Group]
    types: list[tuple[str, str]]
    saved: bool
    unknown: list[str] = field(default_factory=list)


def sheet(
    one: Upload, choices: Mapping[str, Any], errors: Mapping[str, Sequence[str]], *, may_make: bool
) -> Sheet:
    """The page of columns. One query."""
    fields = Fields.of(one.organisation, one.kind)
    known = fields.labels()
    found = one.found
    columns = []
    for index, header in enumerate(one.headers):
        target = choices["columns"].get(header, IGNORE)
        new = choices.get("new", {}).get(header, {})
        columns.append(
            Column(
                index=index,
                header=header,
                samples=found["samples"].get(header, ()),
                target=target,
                hint="" if header in ERROR_COLUMNS else fields.vocabulary.hint(header) or "",
                label=new.get("label", header[:120]),
                type=new.get("type", found["types"].get(header, "Text")),
                errors=errors.get(f"columns.{header}", ()),
                new_errors=errors.get(f"new.{header}", ()),
                extra="" if target in known or target == IGNORE else fields.name_of(target, header),
            )
        )
    return Sheet(
        columns=columns,
        groups=fields.groups(may_make),
        types=new_field_types(),
        saved=bool(choices.get("saved")),
        unknown=[one.header for one in columns if not one.is_known and not one.hint],
    )


# The preview.


@dataclass(frozen=True)
class Cell:
    """A cell of a row that failed."""

    index: int
    header: str
    value: str
    was: str
    reasons: Sequence[str]

    @property
    def is_changed(self) -> bool:
        return self.value != self.was


@dataclass(frozen=True)
class Shown:
    """A row of the preview."""

    row: PreviewRow
    lines: Sequence[Line]
    page: str
    reasons: Sequence[str]
    """What is wrong with the row as a whole."""
    cells: Sequence[Cell]
    more: Sequence[Cell]

    @property
    def is_mended(self) -> bool:
        return self.row.place == "failed" and self.row.outcome != "failed"

    @property
    def becomes(self) -> str:
        return str(self.row.get_outcome_display())


class Words:
    """What fields and values of a file's rows are called. Some queries, however many rows."""

    def __init__(self, one: Upload) -> None:
        self._upload = one
        self._columns: dict[str, str] = one.choices["columns"]
        self._targets = [target for target in self._columns.values() if target]
        self._labels = self._find_labels()
        self._places = {name: place for place, name in enumerate(self._labels)}

    def _find_labels(self) -> dict[str, str]:
        one = self._upload
        if one.kind == Upload.Kind.ACTIVITIES:
            found = {}
            for column in Activity._meta.concrete_fields:
                name = str(column.verbose_name)
                found[column.name] = name[:1].upper() + name[1:]
            return found
        known = labels(Contact(organisation=one.organisation))
        for header, new in one.choices.get("new", {}).items():
            known.setdefault(f"customFields.{plain(header)}", new["label"])
        return known

    def lines(self, row: PreviewRow) -> list[Line]:
        """What the row changes."""
        if self._upload.kind == Upload.Kind.ACTIVITIES:
            return [
                Line(name, self._labels.get(name, name), "", self._of_activity(row, name, new))
                for name, (_old, new) in row.changes.items()
                if name != "currency_code" or "spend" not in row.changes
            ]
        found = []
        for name, (before, after) in told(row.changes).items():
            if row.outcome == "created" and self._is_matter_of_course(name):
                continue
            line = Line(name, self._label(name), shown(name, before), shown(name, after))
            if line.before != line.after:
                found.append(line)
        return sorted(found, key=lambda line: self._places.get(line.name, len(self._places)))

    def _label(self, name: str) -> str:
        return self._labels.get(name) or name.partition(".")[2] or name

    def _is_matter_of_course(self, name: str) -> bool:
        """Whether a new contact has it anyway, and the file does not speak of it."""
        return {
            "kind": "kind",
            "timezone": "timezone",
            "phoneNumberCountryCode": "phone_number_country_code",
        }.get(name, "email_address") not in [*self._targets, "email_address"]

    def _of_activity(self, row: PreviewRow, name: str, value: Any) -> str:
        if name == "spend":
            currency = row.changes.get("currency_code", [None, None])[1]
            return money.show(value, currency or self._upload.organisation.currency_code)
        if name == "happened_at":
            moment = datetime.fromisoformat(value)
            return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
        if name == "type":
            return _(value)
        return str(value)

    def of(self, row: PreviewRow, correction: Mapping[str, str]) -> Shown:
        """The row in words, and its cells to be corrected when it failed."""
        page = reverse("admin:contacts_contact_change", args=[row.contact]) if row.contact else ""
        if row.place != "failed":
            return Shown(row, self.lines(row), page, (), (), ())
        by_header, whole = self._reasons(row)
        cells = self._cells(row, correction, by_header)
        marked = [cell for cell in cells if cell.reasons or cell.is_changed]
        first = marked or [cell for cell in cells if self._columns.get(cell.header)]
        rest = [cell for cell in cells if cell not in first]
        row.who = row.who or self._who(cells)
        return Shown(row, self.lines(row), page, whole, first, rest)

    def _who(self, cells: Sequence[Cell]) -> str:
        """Whom a row that fails is about, as far as its cells tell."""
        by_target = {
            self._columns.get(cell.header, "").removeprefix("contact."): cell.value
            for cell in cells
            if not cell.reasons
        }
        names = " ".join(filter(None, [by_target.get("first_name"), by_target.get("last_name")]))
        return names or by_target.get("name") or by_target.get("email_address") or ""

    def _cells(
        self,
        row: PreviewRow,
        correction: Mapping[str, str],
        by_header: Mapping[str, Sequence[str]],
    ) -> list[Cell]:
        headers = self._upload.headers
        cells = [*row.cells[: len(headers)], *[""] * (len(headers) - len(row.cells))]
        return [
            Cell(index, header, correction.get(header, was), was, by_header.get(header, ()))
            for index, (header, was) in enumerate(zip(headers, cells, strict=True))
        ]

    def _reasons(self, row: PreviewRow) -> tuple[dict[str, list[str]], list[str]]:
        """Why it fails: by column, and what is no column's."""
        headers = {target: header for header, target in self._columns.items()}
        for header, target in self._columns.items():
            if target == NEW:
                headers[f"custom_fields.{plain(header)}"] = header
        by_header: dict[str, list[str]] = {}
        whole: list[str] = []
        for path, reason in row.reasons:
            about = target_of(path, self._upload.kind, list(headers)) if path else None
            if about is None:
                whole.append(reason)
            else:
                by_header.setdefault(headers[about], []).append(reason)
        return by_header, whole


@dataclass(frozen=True)
class Listing:
    """One list of the preview, a page of it."""

    rows: list[Shown]
    next: int | None
    """The line after which the next page begins."""


def listing(one: Upload, place: str, after: int) -> Listing:
    """The rows of one list; those that failed page by page."""
    rows = PreviewRow.objects.filter(upload=one, place=place, line__gt=after).order_by("line")
    found = list(rows[: FAILED_A_PAGE + 1])
    page = found[:FAILED_A_PAGE]
    kept = Correction.objects.filter(upload=one, line__in=[row.line for row in page])
    corrections = dict(kept.values_list("line", "cells")) if place == "failed" else {}
    words = Words(one)
    return Listing(
        [words.of(row, corrections.get(row.line, {})) for row in page],
        page[-1].line if len(found) > len(page) else None,
    )


def figures(one: Upload) -> list[tuple[str, str, int]]:
    """What the rehearsal counted: place, name and number."""
    return [
        ("created", _("Created"), one.counts.get("created", 0)),
        ("updated", _("Updated"), one.counts.get("updated", 0)),
        ("unchanged", _("Unchanged"), one.counts.get("unchanged", 0)),
        ("failed", _("Fail"), one.counts.get("failed", 0)),
    ]


def failing_fields(one: Upload) -> list[tuple[str, int]]:
    """In which columns rows fail, most first."""
    headers = {target: header for header, target in one.choices["columns"].items() if target}
    found = []
    for path, number in one.counts.get("fields", {}).items():
        target = target_of(path, one.kind, list(headers)) if path else None
        found.append((headers[target] if target else path or _("the row as a whole"), number))
    return found


# The report.


def has_made_contacts(run: Import) -> bool:
    """Whether the import created contacts that are still there. One query."""
    made = CreatedRange.objects.filter(run=run, what=What.CONTACT, undone_at=None)
    return made.exists()
