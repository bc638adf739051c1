"""An import of activities that is killed goes on where it was: nothing doubled, nothing lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from activities.models import Activity, Booking
from contacts import rollups, services
from contacts.models import Contact
from organisations.models import Organisation
from tests.imports.conftest import House, rows_done, told_of
from tests.imports.running import write_csv

HEADERS = ["E-mail", "Type", "Source", "Date", "Amount", "Currency", "Order ID", "Booking ID"]
# Four batches: when the third kill comes there is more than one to go.
ROWS, PEOPLE, KILLS = 31_000, 900, 3


def happenings() -> list[list[str]]:
    """Facts of known people and new ones, most without a reference, some told twice, some bad."""
    rows = []
    for n in range(ROWS):
        row = [f"p{n % PEOPLE}@x.com", "Purchase", "till", "2026-04-07", str(n), "", "", ""]
        if n % 1000 == 999:
            row[4] = "much"
        elif n % 3 == 0:  # once more in another batch
            row[6] = f"R{n % 9000}"
        elif n % 500 == 1:
            row[1], row[7] = "Booking", f"B{n % 2000}"
        elif n % 7 == 0:
            row[5] = "EUR"
        rows.append(row)
    return rows


def make_organisation(name: str) -> Organisation:
    organisation = Organisation.objects.create(name=name)
    known = [{"email_address": f"p{n}@x.com"} for n in range(PEOPLE // 2)]
    services.upsert_batch(organisation=organisation, rows=known)
    return organisation


def kept(organisation: Organisation) -> list[Any]:
    """All that the file can have changed, whatever the ids."""
    contacts = Contact.objects.for_organisation(organisation).with_everything()
    activities = Activity.objects.for_organisation(organisation)
    columns = ("type", "spend", "currency_code", "external_reference", "contact__email_key")
    return [
        {
            one.email_key: (
                one.rollup.total_spend,
                one.rollup.total_orders,
                sorted(one.foreign_spend.values_list("currency_code", "amount")),
            )
            for one in contacts
        },
        sorted(activities.values_list(*columns, "booking__external_reference"), key=repr),
        sorted(
            Booking.objects.for_organisation(organisation).values_list(
                "external_reference", "contact__email_key"
            )
        ),
    ]


@pytest.mark.slow
def test_killed_and_run_again(house: House, tmp_path: Path) -> None:
    killed, whole = make_organisation("Killed"), make_organisation("Whole")
    path = write_csv(tmp_path / "activities.csv", HEADERS, happenings())
    errors = {one: tmp_path / f"{one.pk}.csv" for one in (killed, whole)}

    def arguments(organisation: Organisation) -> list[Any]:
        return [
            *("import_activities", path, "--organisation", organisation.pk),
            *("--errors", errors[organisation]),
        ]

    assert house.run(*arguments(whole))[0] == 1

    code, kills, said = house.run_killed(
        *arguments(killed), watched=partial(rows_done, killed), kills=KILLS, further=0.05
    )

    assert (code, kills) == (1, KILLS), said
    assert told_of(killed) == told_of(whole)
    assert told_of(killed)[1] == ROWS
    assert kept(killed) == kept(whole)
    assert errors[killed].read_text() == errors[whole].read_text()
    assert not list(rollups.drift(killed))
