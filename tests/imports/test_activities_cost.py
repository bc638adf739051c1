"""What a batch of activities costs: queries that do not grow with its rows, flat memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts import rollups, services
from organisations.models import Organisation
from tests.imports.running import counts, report, write_csv

pytestmark = pytest.mark.django_db

HEADERS = ["contact", "E-mail", "Type", "Source", "Date", "Amount", "Order ID", "Booking ID"]


def people(organisation: Organisation, count: int) -> list[int]:
    rows = [{"email_address": f"p{n}@example.com"} for n in range(count)]
    return [
        result.id or 0 for result in services.upsert_batch(organisation=organisation, rows=rows)
    ]


def queries(organisation: Organisation, path: Path, *arguments: str) -> tuple[list[str], Any]:
    """The statements of an import, and what it says it did.

    On SQLite Django cuts a long insert into several: they count as one.
    """
    with CaptureQueriesContext(connection) as captured:
        told = report("import_activities", path, organisation, *arguments)
    asked = [query["sql"] for query in captured.captured_queries]
    return [
        sql
        for sql, before in zip(asked, ["", *asked], strict=False)
        if not sql.startswith("INSERT") or sql[:60] != before[:60]
    ], told


def row(n: int, contact: str, email: str, booking: str = "") -> list[str]:
    return [contact, email, "Purchase", "till", "2026-04-07", "100", f"R{n}", booking]


@pytest.mark.parametrize("how", ["id", "e-mail", "new", "booking", "history"])
def test_a_batch_costs_the_same_queries_however_many_rows(
    organisation: Organisation, tmp_path: Path, how: str
) -> None:
    ids = people(organisation, 200)
    rows = {
        "id": lambda n: row(n, str(ids[n]), ""),
        "e-mail": lambda n: row(n, "", f"p{n}@example.com"),
        "new": lambda n: row(n, "", f"{how}{n}@example.com"),
        "booking": lambda n: row(n, str(ids[n]), "", f"B{n}"),
        "history": lambda n: row(n, str(ids[n]), ""),
    }[how]
    options = ["--backfill"] if how == "history" else []
    few = write_csv(tmp_path / "few.csv", HEADERS, [rows(n) for n in range(10)])
    many = write_csv(tmp_path / "many.csv", HEADERS, [rows(n) for n in range(10, 200)])

    cheap, _told = queries(organisation, few, *options)
    dear, told = queries(organisation, many, *options)

    assert counts(told) == (190, 0, 0, 0)
    assert [_verb(sql) for sql in dear] == [_verb(sql) for sql in cheap]
    assert list(rollups.drift(organisation)) == []


def _verb(sql: str) -> str:
    """Its first word; many rows by one statement are told as `190 times: INSERT`."""
    return sql.lstrip("0123456789 ").removeprefix("times: ").partition(" ")[0]


def test_a_batch_moves_the_totals_by_one_update(organisation: Organisation, tmp_path: Path) -> None:
    ids = people(organisation, 50)
    path = write_csv(
        tmp_path / "many.csv", HEADERS, [row(n, str(ids[n % 50]), "") for n in range(500)]
    )

    asked, _told = queries(organisation, path)

    assert sum("UPDATE" in sql and "total_spend" in sql for sql in asked) == 1


def test_a_file_that_is_in_already_writes_nothing_but_its_own_progress(
    organisation: Organisation, tmp_path: Path
) -> None:
    ids = people(organisation, 50)
    path = write_csv(tmp_path / "many.csv", HEADERS, [row(n, str(ids[n]), "") for n in range(50)])
    report("import_activities", path, organisation)

    asked, told = queries(organisation, path)

    assert counts(told) == (0, 0, 50, 0)
    written = [sql for sql in asked if sql.startswith(("INSERT", "UPDATE", "DELETE", "WITH"))]
    assert all("imports_import" in sql for sql in written), written
    assert not any("FOR " in sql for sql in asked if "contacts_" in sql)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(organisation: Organisation, tmp_path: Path) -> None:
    ids = people(organisation, 100)
    peaks = []
    for count in (20_000, 50_000):
        path = write_csv(
            tmp_path / f"{count}.csv",
            HEADERS,
            [row(count * 10 + n, str(ids[n % 100]), "") for n in range(count)],
        )
        tracemalloc.start()
        told = report("import_activities", path, organisation)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert counts(told) == (count, 0, 0, 0)

    assert peaks[1] < peaks[0] * 1.2
