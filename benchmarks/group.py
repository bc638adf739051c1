"""Measures one group of rows on the database that DATABASE_URL names, and writes them as JSON:
`python -m benchmarks.group NAME SIZES FILE`, which `python -m benchmarks` runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Row, Sizes, to_json

GROUPS = ("web", "contacts", "fields", "activities", "workflows")


def groups() -> dict[str, Callable[[Sizes], list[Row]]]:
    """What measures each group."""
    from benchmarks import importing, web, workflows

    found = (
        web.web,
        importing.contacts,
        importing.fields,
        importing.activities,
        workflows.workflows,
    )
    return dict(zip(GROUPS, found, strict=True))


def main() -> None:
    name, sizes, path = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    import django

    django.setup()
    rows = groups()[name](Sizes(**json.loads(sizes)))
    Path(path).write_text(to_json(rows))


if __name__ == "__main__":
    main()
