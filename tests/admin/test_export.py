"""Exporting from the admin: chosen rows, for those who may, in a file that comes back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Contact, Tag
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.imports.running import report

pytestmark = pytest.mark.django_db

CONTACTS = reverse("admin:contacts_contact_changelist")
ACTIVITIES = reverse("admin:activities_activity_changelist")


def export(client: Client, address: str, *chosen: Any, **more: Any) -> Any:
    given = {"action": "export_chosen", "_selected_action": [str(one.pk) for one in chosen]}
    return client.post(address, {**given, **more})


def content(answer: Any) -> bytes:
    assert answer.streaming, answer.content.decode()
    return b"".join(answer.streaming_content)


def lines(answer: Any) -> list[dict[str, str]]:
    text = content(answer).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_asks_first(owner: Client, organisation: Organisation) -> None:
    ann = rows.contact(organisation)
    answer = export(owner, CONTACTS, ann)
    page = answer.content.decode()
    assert "Export 1 contact" in page
    assert str(ann) not in page
    assert 'name="with_totals"' in page


def test_the_chosen_contacts_are_downloaded(owner: Client, organisation: Organisation) -> None:
    ann = rows.contact(organisation, email_address="ann@x.com", first_name="=Élodie", name="E")
    bob = rows.contact(organisation)
    rows.contact(organisation)
    answer = export(owner, CONTACTS, ann, bob, confirmed="yes", format="csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="contacts-')
    assert "no-store" in answer["Cache-Control"]
    found = lines(answer)
    assert [row["id"] for row in found] == [str(ann.pk), str(bob.pk)]
    assert found[0]["firstName"] == "'=Élodie"
    assert "totalSpend" not in found[0]


def test_all_that_was_found_are_downloaded(owner: Client, organisation: Organisation) -> None:
    ann = rows.contact(organisation, name="Jane A", tags=["VIP"])
    bob = rows.contact(organisation, name="Jane B", tags=["VIP"])
    rows.contact(organisation, name="Jane C")
    rows.contact(organisation, tags=["VIP"])
    vip = Tag.objects.for_organisation(organisation).get()
    answer = export(
        owner,
        f"{CONTACTS}?q=jane&tag={vip.pk}&o=6",
        ann,
        confirmed="yes",
        format="jsonl",
        with_totals="on",
        select_across="1",
    )
    found = [json.loads(line) for line in content(answer).splitlines()]
    assert [row["id"] for row in found] == [ann.pk, bob.pk]
    assert found[0]["totalSpend"] == 0


def test_a_workbook_comes_back(
    owner: Client,
    organisation: Organisation,
    tmp_path: Path,
) -> None:
    ann = rows.contact(organisation, first_name="=1+1", phone_number="+447700900001")
    answer = export(owner, CONTACTS, ann, confirmed="yes", format="xlsx")
    assert answer["Content-Disposition"].endswith('.xlsx"')
    path = tmp_path / "contacts.xlsx"
    path.write_bytes(content(answer))
    result = report("import_contacts", path, organisation)
    assert (result["unchanged"], result["failed"]) == (1, 0)


def test_too_many_rows_for_a_workbook_are_said(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imports.exports.admin.MAX_WORKBOOK", 1)
    both = [rows.contact(organisation), rows.contact(organisation)]
    answer = export(owner, CONTACTS, *both, confirmed="yes", format="xlsx")
    assert "at most 1 rows" in answer.content.decode()
    assert len(lines(export(owner, CONTACTS, *both, confirmed="yes", format="csv"))) == 2


def test_the_chosen_activities_are_downloaded(owner: Client, organisation: Organisation) -> None:
    first = rows.activity(organisation, source="first")
    rows.activity(organisation, source="second")
    assert "Export 1 activity" in export(owner, ACTIVITIES, first).content.decode()
    found = lines(export(owner, ACTIVITIES, first, confirmed="yes", format="csv"))
    assert [(row["source"], row["spend"]) for row in found] == [("first", "4500")]


@pytest.mark.parametrize("address", [CONTACTS, ACTIVITIES])
@pytest.mark.parametrize("format", ["csv", "jsonl", "xlsx"])
def test_rows_of_another_organisation_are_never_in_it(
    owner: Client,
    organisation: Organisation,
    other_organisation: Organisation,
    address: str,
    format: str,
) -> None:
    make = rows.contact if address == CONTACTS else rows.activity
    own: Any = make(organisation)
    foreign: Any = make(other_organisation)
    for across in ("0", "1"):
        answer = export(
            owner, address, own, foreign, confirmed="yes", format="jsonl", select_across=across
        )
        found = [json.loads(line) for line in content(answer).splitlines()]
        key, one = ("id", own.pk) if address == CONTACTS else ("contact", own.contact_id)
        assert [row[key] for row in found] == [one]
    answer = export(owner, address, foreign, confirmed="yes", format=format)
    assert b"secret" not in content(answer)


@pytest.mark.parametrize("address", [CONTACTS, ACTIVITIES])
@pytest.mark.parametrize("role", [roles.STAFF, roles.READ_ONLY])
def test_who_may_not_export_is_not_offered_it(
    organisation: Organisation, staff_of: Callable[..., Client], address: str, role: str
) -> None:
    row: Any = (rows.contact if address == CONTACTS else rows.activity)(organisation)
    client = staff_of(organisation, role)
    assert "export_chosen" not in client.get(address).content.decode()
    answer = export(client, address, row, confirmed="yes", format="csv")
    assert not answer.streaming
    assert Contact.objects.for_organisation(organisation).count() == 1


def test_what_the_list_shows_is_exported_in_its_order_and_columns(
    owner: Client, organisation: Organisation
) -> None:
    rows.field(organisation, label="Tier", type="Select", options=["Gold", "Silver"])
    rows.field(organisation, label="Visits", type="Number")
    people = [
        rows.contact(
            organisation,
            name=name,
            tags=["VIP", "Golf & more"],
            customFields={"tier": "Gold", "visits": number},
        )
        for number, name in enumerate(["=Ann", "Bob", "Cleo"])
    ]
    rows.contact(organisation, name="Not chosen")
    address = f"{CONTACTS}?cols=shown_name,cf_visits,tag_list,cf_tier,total_spend&o=-2"
    answer = export(owner, address, *people, confirmed="yes", format="csv", content="seen")
    found = lines(answer)
    assert [line["Name"] for line in found] == ["Cleo", "Bob", "'=Ann"]
    assert found[0] == {
        "Name": "Cleo",
        "Visits": "2",
        "Tags": "Golf & more, VIP",
        "Tier": "Gold",
        "Total spend": "£0.00",
    }


def test_the_list_of_activities_is_exported_as_it_is_seen(
    owner: Client, organisation: Organisation
) -> None:
    purchase = rows.activity(organisation, spend=123456)
    answer = export(owner, ACTIVITIES, purchase, confirmed="yes", format="csv", content="seen")
    (line,) = lines(answer)
    assert (line["Type"], line["Amount"]) == ("Purchase", "£1,234.56")


def test_the_export_of_what_is_seen_costs_the_same_for_many_rows(
    owner: Client, organisation: Organisation
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            everybody = {"select_across": "1", "confirmed": "yes", "content": "seen"}
            content(export(owner, CONTACTS, ann, format="csv", **everybody))
        return len(captured)

    ann = rows.contact(organisation, tags=["VIP"])
    few = cost()
    for _number in range(10):
        rows.contact(organisation, tags=["VIP"])
    assert cost() == few
