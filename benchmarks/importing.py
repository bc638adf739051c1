"""Files of contacts and activities, against the same rows brought in without a question."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from benchmarks import floors
from benchmarks.measuring import Row, Sizes, against, race, rate
from benchmarks.population import (
    Population,
    happenings,
    newcomers,
    renamed,
    verify,
    write,
)
from contacts.models import Contact, ContactRollup
from customfields.models import CustomField
from imports import services
from imports.files.opening import opened
from imports.options import Options
from imports.runs import Report
from imports.services import Door

PEOPLE_HEADERS = ("Email", "Phone", "First name", "Last name")
FIELD_HEADERS = ("Diet", "Points", "Member since")
TOLD_HEADERS = (
    "contact", "type", "source", "happenedAt", "spend", "currencyCode", "externalReference",
)  # fmt: skip
ROWS = "rows/s"


def brought(report: Report, *, created: int = 0, updated: int = 0, unchanged: int = 0) -> None:
    """Raise AssertionError when a file did not do what it was to do."""
    found = report.created, report.updated, report.unchanged, report.failed
    assert found == (created, updated, unchanged, 0), (found, report.first_failures[:3])


class People:
    """Files of new contacts and of known ones; each turn has rows of its own."""

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        self.there = Population.found()
        self.rows = sizes.rows
        self.folder = folder
        self.added = 0

    def _fresh(self) -> list[tuple[Any, ...]]:
        rows = newcomers(self.rows, self.added + 1)
        self.added += self.rows
        return rows

    def _renamed(self, turn: int) -> list[tuple[Any, ...]]:
        mark = f"Z{floors.tag()}"
        return renamed(self.there, self.rows, turn * self.rows, mark)

    def _import(self, cells: Sequence[Sequence[Any]], headers: Sequence[str]) -> Report:
        path = write(self.folder / f"{floors.tag()}.csv", headers, cells)
        with opened(str(path)) as file:
            return services.import_contacts(
                organisation=self.there.organisation, file=file, options=Options(), door=Door()
            )

    def _timed(self, cells: Sequence[Sequence[Any]], headers: Sequence[str], **meant: int) -> float:
        report = self._import(cells, headers)
        brought(report, **meant)
        return self.rows / report.seconds

    def new(self, _turn: int) -> float:
        cells = [(row[0], row[2], row[5], row[6]) for row in self._fresh()]
        return self._timed(cells, PEOPLE_HEADERS, created=self.rows)

    def national(self, _turn: int) -> float:
        cells = [(row[0], f"0{row[2][3:]}", row[5], row[6]) for row in self._fresh()]
        return self._timed(cells, PEOPLE_HEADERS, created=self.rows)

    def known(self, turn: int) -> float:
        cells = [(row[0], row[2], row[5], row[6]) for row in self._renamed(turn)]
        return self._timed(cells, PEOPLE_HEADERS, updated=self.rows)

    def floor_new(self, _turn: int) -> float:
        return rate(self.rows, floors.people(self.there.organisation, self._fresh()))

    def floor_known(self, turn: int) -> float:
        return rate(self.rows, floors.people(self.there.organisation, self._renamed(turn)))

    def bulk_create(self, _turn: int) -> float:
        path = write(self.folder / "bulk.csv", floors.PEOPLE, self._fresh())
        return rate(self.rows, partial(self._bulk_create, path))

    def _bulk_create(self, path: Path) -> None:
        """As one writes an import who knows Django: a thousand objects at a time, no checks."""
        organisation, moment = self.there.organisation, timezone.now()
        with path.open(newline="") as stream, transaction.atomic():
            reader = csv.DictReader(stream)
            while some := list(islice(reader, 1000)):
                made = Contact.objects.bulk_create(
                    [
                        Contact(
                            organisation=organisation, **row, created_at=moment, updated_at=moment
                        )
                        for row in some
                    ],
                    update_conflicts=True,
                    unique_fields=["organisation", "email_key"],
                    update_fields=[*floors.PEOPLE, "updated_at"],
                )
                ContactRollup.objects.bulk_create(
                    [ContactRollup(organisation=organisation, contact=one) for one in made]
                )

    def with_fields(self, _turn: int) -> float:
        rows = self._fresh()
        diet, points, since = self._values()
        labels = {option.pk: option.label for option in diet[0].options.all()}
        cells = [
            (row[0], row[2], row[5], row[6], labels[one], two, three)
            for row, one, two, three in zip(rows, diet[2], points[2], since[2], strict=True)
        ]
        return self._timed(cells, PEOPLE_HEADERS + FIELD_HEADERS, created=self.rows)

    def floor_fields(self, _turn: int) -> float:
        floor = floors.people(self.there.organisation, self._fresh(), self._values())
        return rate(self.rows, floor)

    def _values(self) -> list[tuple[CustomField, str, list[Any]]]:
        fields = {
            field.label: field
            for field in CustomField.objects.for_organisation(self.there.organisation)
        }
        diet, points, since = (fields[label] for label in FIELD_HEADERS)
        options = [option.pk for option in diet.options.all()]
        numbers = range(self.rows)
        return [
            (diet, "value_option_id", [options[n % len(options)] for n in numbers]),
            (points, "value_number", [n * 7919 % 10_000 for n in numbers]),
            (since, "value_date", [f"20{n % 25:02d}-0{n % 9 + 1}-01" for n in numbers]),
        ]

    def verify(self, told: int, more: int = 0) -> None:
        verify(self.there.organisation, people=self.there.people + self.added + more, told=told)


def contacts(sizes: Sizes) -> list[Row]:
    """New contacts, known ones, and phones as one dials them at home."""
    with TemporaryDirectory() as folder:
        people = People(sizes, Path(folder))
        new = race(
            {
                "floor": people.floor_new,
                "ours": people.new,
                "national": people.national,
                "bulk": people.bulk_create,
            },
            sizes.turns,
        )
        known = race({"floor": people.floor_known, "ours": people.known}, sizes.turns)
        people.verify(sizes.told)
        whole = _whole(sizes, people)
    return [
        against("import_contacts, new", new["ours"], new["floor"], unit=ROWS, goal=0.65),
        against("import_contacts, to update", known["ours"], known["floor"], unit=ROWS, goal=0.65),
        against(
            "import_contacts, phones in national form",
            new["national"],
            new["floor"],
            unit=ROWS,
            goal=0.25,
        ),
        against(
            "import_contacts, against bulk_create(update_conflicts)",
            new["ours"],
            new["bulk"],
            unit=ROWS,
            goal=3,
        ),
        *whole,
    ]


def _whole(sizes: Sizes, people: People) -> list[Row]:
    """One large file, by the command in a process of its own: its memory and its rate."""
    path = write(
        people.folder / "whole.csv",
        PEOPLE_HEADERS,
        ((r[0], r[2], r[5], r[6]) for r in newcomers(sizes.whole, 300_000_000)),
    )
    manage = str(settings.BASE_DIR / "manage.py")
    organisation = people.there.organisation
    command = [sys.executable, manage, "import_contacts", str(path), "--json"]
    with (people.folder / "report.json").open("w+b") as told:
        process = subprocess.Popen(
            [*command, "--organisation", str(organisation.pk)],
            stdout=told,
            stderr=subprocess.DEVNULL,
            env=os.environ,
        )
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        told.seek(0)
        report = json.load(told)
    assert report["created"] == sizes.whole, report
    people.verify(sizes.told, more=sizes.whole)
    what = f"import_contacts of {sizes.whole:,} rows"
    memory, seconds = used.ru_maxrss / 1024, report["seconds"]
    return [
        Row(f"{what}, memory", memory, None, None, None, None, "MB", goal=300, at_most=True),
        Row(f"{what}, the command", sizes.whole / seconds, None, None, None, None, ROWS),
    ]


def fields(sizes: Sizes) -> list[Row]:
    """New contacts with three custom fields each."""
    with TemporaryDirectory() as folder:
        people = People(sizes, Path(folder))
        rates = race({"floor": people.floor_fields, "ours": people.with_fields}, sizes.turns)
        people.verify(sizes.told)
    what = "import_contacts, 3 custom fields"
    return [against(what, rates["ours"], rates["floor"], unit=ROWS, goal=0.5)]


class Told:
    """Files of activities; each turn has rows of its own."""

    def __init__(self, sizes: Sizes, folder: Path) -> None:
        self.there = Population.found()
        self.rows = sizes.rows
        self.folder = folder
        self.added = 0
        self.latest = Path()
        self.emails = dict(
            Contact.objects.for_organisation(self.there.organisation).values_list(
                "pk", "email_address"
            )
        )

    def _fresh(self) -> list[tuple[Any, ...]]:
        self.added += self.rows
        return happenings(self.there, self.rows, floors.tag())

    def _import(self, path: Path) -> Report:
        with opened(str(path)) as file:
            return services.import_activities(
                organisation=self.there.organisation, file=file, options=Options(), door=Door()
            )

    def _file(self, headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
        cells = (
            (who, type_, source, f"{at}+00:00", *rest) for who, type_, source, at, *rest in rows
        )
        return write(self.folder / f"{floors.tag()}.csv", headers, cells)

    def ours(self, _turn: int) -> float:
        self.latest = self._file(TOLD_HEADERS, self._fresh())
        report = self._import(self.latest)
        brought(report, created=self.rows)
        return self.rows / report.seconds

    def again(self, _turn: int) -> float:
        report = self._import(self.latest)
        brought(report, unchanged=self.rows)
        return self.rows / report.seconds

    def floor(self, _turn: int) -> float:
        floor = floors.told if floors.on_postgresql() else floors.straight
        return rate(self.rows, floor(self.there.organisation, self._fresh()))

    def _with_emails(self) -> list[tuple[Any, ...]]:
        return [(self.emails[row[0]], *row[1:]) for row in self._fresh()]

    def by_email(self, _turn: int) -> float:
        report = self._import(self._file(("Email", *TOLD_HEADERS[1:]), self._with_emails()))
        brought(report, created=self.rows)
        return self.rows / report.seconds

    def floor_by_email(self, _turn: int) -> float:
        rows = [(email.lower(), *rest) for email, *rest in self._with_emails()]
        return rate(self.rows, floors.told(self.there.organisation, rows, by_email=True))


def activities(sizes: Sizes) -> list[Row]:
    """Activities of contacts given by their ids and by their e-mails, and a file that is in."""
    with TemporaryDirectory() as folder:
        told = Told(sizes, Path(folder))
        by_id = race({"floor": told.floor, "ours": told.ours}, sizes.turns)
        twice = [(told.ours(turn), told.again(turn)) for turn in range(sizes.turns)]
        by_email = race({"floor": told.floor_by_email, "ours": told.by_email}, sizes.turns)
        verify(told.there.organisation, people=told.there.people, told=sizes.told + told.added)
    goal = 0.8 if floors.on_postgresql() else 0.4
    return [
        against("import_activities", by_id["ours"], by_id["floor"], unit=ROWS, goal=goal),
        against(
            "import_activities, contacts by e-mail",
            by_email["ours"],
            by_email["floor"],
            unit=ROWS,
            goal=goal,
        ),
        against(
            "import_activities again, against the first time",
            [again for _first, again in twice],
            [first for first, _again in twice],
            unit=ROWS,
            goal=5,
        ),
    ]
