"""To import a file and undo it leaves everything exactly as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from contacts import rollups
from contacts import services as contacts
from tests.factories import OrganisationFactory
from tests.imports.running import report, run, write_csv
from tests.imports.snapshots import everything
from tests.imports.test_same_as_service import HEADERS, mostly, nothing, prepare, row

# Shrinking takes minutes where each example is an import.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

pytestmark = pytest.mark.django_db

more = st.tuples(
    mostly(["", "1 High Street", "2 Low Road"], [r"\N"]),
    mostly(["", "Bath", "York"], [r"\N"]),
    mostly(["", "red", "blue"], [r"\N"]),
)
rows = st.lists(st.tuples(row, more).map(lambda pair: [*pair[0], *pair[1]]), max_size=8)


def import_twice_and_undo(first: list[list[str]], second: list[list[str]]) -> None:
    organisation = OrganisationFactory()
    prepare(organisation)
    contacts.upsert(
        organisation=organisation,
        values={
            "email_address": "b@x.com",
            "phone_number": "07700900002",
            "addresses": [{"line1": "9 Old Lane", "city": "Bath"}],
            "tags": ["VIP", "Spa"],
            "customFields": {"code": "A2", "visits": 3},
        },
    )
    states = [everything(organisation)]
    imports = []
    headers = [*HEADERS, "Line 1", "City", "Colour"]
    with tempfile.TemporaryDirectory() as folder:
        for number, cells in enumerate((first, second)):
            path = write_csv(Path(folder) / f"{number}.csv", headers, cells)
            told = report("import_contacts", path, organisation, "--create-fields")
            if told["code"] == 2:  # an empty file has no columns to be told
                continue
            imports.append(told["importId"])
            states.append(everything(organisation))
    while imports:
        states.pop()
        code, _out, err = run("undo_import", imports.pop())
        assert (code, everything(organisation)) == (0, states[-1]), err
    assert not list(rollups.drift(organisation))


def quickly(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=PHASES,
    )


@quickly(6)
@given(first=rows, second=rows)
@example(
    # What one contact lets go another takes.
    first=[[*nothing(**{"E-mail": "c@x.com"}, Code="A1"), "", "", ""]],
    second=[
        [*nothing(**{"E-mail": "c@x.com"}, Code="A2"), "", "", ""],
        [*nothing(**{"E-mail": "a@x.com"}, Code="A1"), "", "", "red"],
    ],
)
def test_one_import_after_the_other_is_undone(
    first: list[list[str]], second: list[list[str]]
) -> None:
    import_twice_and_undo(first, second)


@pytest.mark.slow
@quickly(100)
@given(first=rows, second=rows)
def test_many_imports_are_undone(first: list[list[str]], second: list[list[str]]) -> None:
    import_twice_and_undo(first, second)
