"""Running imports in tests."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command

from organisations.models import Organisation


def run(command: str, *arguments: Any, **options: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(command, *map(str, arguments), stdout=out, stderr=err, **options)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def report(
    command: str, path: Path | str, organisation: Organisation, *arguments: Any
) -> dict[str, Any]:
    """What an import of `path` says it did, and its exit code."""
    code, out, err = run(command, path, "--organisation", organisation.pk, "--json", *arguments)
    assert out, err
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return {**told, "code": code}


def counts(told: dict[str, Any]) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, failed."""
    return told["created"], told["updated"], told["unchanged"], told["failed"]


def write_csv(path: Path, headers: list[str], rows: list[list[str]], **options: Any) -> Path:
    """A CSV file as a spreadsheet writes it."""
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as stream:
        writer = csv.writer(stream, **options)
        writer.writerow(headers)
        writer.writerows(rows)
    return path


def failures(path: Path | str) -> list[dict[str, str]]:
    """The rows of an errors file."""
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
