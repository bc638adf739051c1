"""Undoing an import of contacts: what goes, what comes back, and what is kept because somebody
changed it since."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from activities import services as activities
from activities.models import Activity
from contacts import rollups, services
from contacts.models import Contact, ContactRollup, Tag
from customfields import services as custom_fields
from customfields.models import CustomField
from imports.models import Import, ImportedRow, KeptRow
from imports.undoing import service as undoing
from organisations.models import Organisation
from tests.imports.running import report, run, write_csv
from tests.imports.snapshots import everything

pytestmark = pytest.mark.django_db

HEADERS = ["E-mail", "Phone", "First name", "Last name", "City", "Tags", "Diet"]
ANN = ["ann@x.com", "07700900001", "Ann", "Lee", "Bath", "VIP", "Vegan"]
BOB = ["bob@x.com", "07700900002", "Bob", "Ray", "York", "VIP; Golf", ""]

Touch = Callable[[Contact], Any]


@pytest.fixture
def imported(organisation: Organisation, tmp_path: Path) -> Callable[..., int]:
    """`imported(rows)`: the id of an import of these rows."""

    def imported(*rows: list[str], headers: list[str] = HEADERS) -> int:
        path = write_csv(tmp_path / f"{len(list(tmp_path.iterdir()))}.csv", headers, list(rows))
        told = report("import_contacts", path, organisation)
        assert told["code"] == 0, told
        return int(told["importId"])

    return imported


@pytest.fixture(autouse=True)
def _diet(organisation: Organisation) -> None:
    custom_fields.define(organisation=organisation, label="Diet", type="Text")


def undo(pk: int, *arguments: Any) -> dict[str, Any]:
    code, out, err = run("undo_import", pk, "--json", *arguments)
    assert out, err
    return {**json.loads(out), "code": code, "said": err}


def named(organisation: Organisation, email: str) -> Contact:
    contacts = Contact.objects.for_organisation(organisation)
    contact: Contact = contacts.get(email_key=email)
    contact.organisation = organisation
    return contact


def add_activity(contact: Contact, **values: Any) -> Activity:
    given: dict[str, Any] = {
        "type": "Purchase",
        "source": "till",
        "happened_at": timezone.now(),
        "spend": 4500,
    }
    made, _created = activities.record(
        organisation=contact.organisation, contact=contact, **{**given, **values}
    )
    return made


# What it created


def test_what_it_created_goes_with_its_tags(organisation: Organisation, imported: Any) -> None:
    before = everything(organisation)
    pk = imported(ANN, BOB)

    told = undo(pk)

    assert (told["code"], told["deleted"], told["kept"]) == (0, {"contact": 2}, 0)
    assert everything(organisation) == before
    assert Import.objects.for_organisation(organisation).get().status == Import.Status.UNDONE


def test_the_report_for_people(organisation: Organisation, imported: Any) -> None:
    code, out, _err = run("undo_import", imported(ANN, BOB))

    assert code == 0
    assert out.splitlines()[:2] == ["deleted    2 contacts", "kept       0"]


def test_a_second_time_there_is_nothing_to_undo(organisation: Organisation, imported: Any) -> None:
    pk = imported(ANN)
    undo(pk)

    code, out, err = run("undo_import", pk)

    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"Import {pk} was undone already."


def test_the_file_can_be_imported_again_afterwards(
    organisation: Organisation, imported: Any
) -> None:
    undo(imported(ANN))
    undo(imported(ANN))

    assert not Contact.objects.for_organisation(organisation).exists()


def merge_in(contact: Contact) -> None:
    other, _new = services.upsert(
        organisation=contact.organisation, values={"email_address": "other@x.com"}
    )
    services.merge(survivor=contact, absorbed=other)


def merge_into(contact: Contact) -> None:
    other, _new = services.upsert(
        organisation=contact.organisation, values={"email_address": "other@x.com"}
    )
    services.merge(survivor=other, absorbed=contact)


def complete_an_invite(contact: Contact) -> None:
    other, _new = services.upsert(
        organisation=contact.organisation, values={"email_address": "other@x.com"}
    )
    invite = services.create_invite(contact=other)
    services.update_invite(invite=invite, values={"status": "Completed", "completed_by": contact})


TOUCHES: dict[str, tuple[Touch, str]] = {
    "name": (
        lambda c: services.update(contact=c, values={"first_name": "Anne"}),
        "It was changed since.",
    ),
    "tag": (lambda c: services.tag(contacts=c, name="New"), "It was changed since: its tags."),
    "custom field": (
        lambda c: custom_fields.set_values(contact=c, values={"diet": "Fish"}),
        "It was changed since: its custom fields.",
    ),
    "addresses": (
        lambda c: services.update(contact=c, values={"addresses": [{"city": "Rome"}]}),
        "It was changed since: its addresses.",
    ),
    "activity": (add_activity, "Something hangs on it that stays: 1 activity."),
    "booking": (
        lambda c: add_activity(c, type="Booking", booking={"external_reference": "B1"}),
        "Something hangs on it that stays: 1 booking, 1 activity.",
    ),
    "invite": (
        lambda c: services.create_invite(contact=c),
        "Something hangs on it that stays: 1 referral invite, 1 activity.",
    ),
    "completed invite": (
        complete_an_invite,
        "Something hangs on it that stays: 1 referral invite.",
    ),
    "merged in": (merge_in, "It was changed since."),
    "redacted": (lambda c: services.redact(contact=c), "It was redacted since."),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_what_others_added_to_is_kept_and_named(
    organisation: Organisation, imported: Any, touch: str
) -> None:
    pk = imported(ANN, BOB)
    ann = named(organisation, "ann@x.com")
    do, reason = TOUCHES[touch]
    do(ann)
    state = everything(organisation)["contacts"][ann.pk]

    told = undo(pk)

    assert (told["code"], told["deleted"], told["kept"]) == (1, {"contact": 1}, 1)
    (kept,) = told["keptRows"]
    assert (kept["what"], kept["id"], kept["reason"]) == ("contact", ann.pk, reason)
    assert f"contact {ann.pk} (" in told["said"]
    assert everything(organisation)["contacts"][ann.pk] == state


def test_what_is_part_of_another_contact_now_is_kept(
    organisation: Organisation, imported: Any
) -> None:
    pk = imported(ANN)
    ann = named(organisation, "ann@x.com")
    merge_into(ann)
    other = named(organisation, "other@x.com")

    (kept,) = undo(pk)["keptRows"]

    assert kept["name"] == "Ann Lee"
    assert kept["reason"] == f"It was merged into contact {other.pk} since."


def test_what_was_added_and_taken_away_again_is_no_change(
    organisation: Organisation, imported: Any
) -> None:
    before = everything(organisation)
    pk = imported(ANN)
    ann = named(organisation, "ann@x.com")
    activities.void(activity=add_activity(ann))
    services.tag(contacts=ann, name="New")
    services.untag(contacts=ann, name="New")
    services.delete_tag(tag=Tag.objects.for_organisation(organisation).named("New").get())

    assert undo(pk)["code"] == 0
    assert everything(organisation) == before


def test_a_contact_that_is_twice_in_the_file_goes(
    organisation: Organisation, imported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imports.files.delimited.CHUNK_ROWS", 2)
    before = everything(organisation)
    again = ["ann@x.com", "", "Annie", "", "Rome", "Golf", "Fish"]

    told = undo(imported(ANN, BOB, again, again, ["ann@x.com", *[""] * 4, "Spa", ""]))

    assert (told["code"], told["deleted"]) == (0, {"contact": 2})
    assert everything(organisation) == before


def test_a_tag_that_others_use_stays(organisation: Organisation, imported: Any) -> None:
    services.upsert(organisation=organisation, values={"email_address": "z@x.com"})
    pk = imported(ANN, BOB)
    services.tag(contacts=named(organisation, "z@x.com"), name="Golf")

    undo(pk)

    assert everything(organisation)["tags"] == ["Golf"]


def test_what_somebody_deleted_meanwhile_is_no_matter(
    organisation: Organisation, imported: Any
) -> None:
    pk = imported(ANN, BOB)
    services.delete(contact=named(organisation, "ann@x.com"))

    told = undo(pk)

    assert (told["code"], told["deleted"], told["kept"]) == (0, {"contact": 1}, 0)


def test_what_was_kept_can_be_undone_once_nothing_is_in_the_way(
    organisation: Organisation, imported: Any
) -> None:
    before = everything(organisation)
    pk = imported(ANN, BOB)
    activity = add_activity(named(organisation, "ann@x.com"))
    assert undo(pk)["code"] == 1
    activities.void(activity=activity)

    told = undo(pk)

    assert (told["code"], told["deleted"], told["kept"]) == (0, {"contact": 2}, 0)
    assert everything(organisation) == before


# What it changed


@pytest.fixture
def ann(organisation: Organisation) -> Contact:
    contact, _new = services.upsert(
        organisation=organisation,
        values={
            "email_address": "Ann@x.com",
            "first_name": "Anna",
            "dob": "1980-02-29",
            "addresses": [{"line1": "9 Old Lane", "city": "Leeds"}, {"city": "Hull"}],
            "tags": ["Spa", "Old"],
            "customFields": {"diet": "Fish"},
        },
    )
    return contact


def test_what_it_changed_is_as_it_was(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    before = everything(organisation)

    pk = imported(ANN)
    seen = ContactRollup.objects.for_organisation(organisation).get().changed_at

    told = undo(pk)

    assert (told["code"], told["restored"], told["deleted"]) == (0, {"contact": 1}, {})
    assert everything(organisation) == before
    # What the API calls updatedAt: whoever asks for what changed hears of it.
    assert ContactRollup.objects.for_organisation(organisation).get().changed_at > seen


CHANGES: dict[str, tuple[Touch, str]] = {
    "name": TOUCHES["name"],
    "custom field": (TOUCHES["custom field"][0], "It was changed since: its Diet."),
    "addresses": TOUCHES["addresses"],
    "tag taken off": (
        lambda c: services.untag(contacts=c, name="VIP"),
        "It was changed since: its tags.",
    ),
    "tag put back": (
        lambda c: services.tag(contacts=c, name="Spa"),
        "It was changed since: its tags.",
    ),
    "merged in": TOUCHES["merged in"],
    "redacted": TOUCHES["redacted"],
    "deleted": (lambda c: services.delete(contact=c), "It was deleted since."),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_since_is_kept_and_named(
    organisation: Organisation, imported: Any, ann: Contact, change: str
) -> None:
    pk = imported(ANN, BOB)
    do, reason = CHANGES[change]
    do(named(organisation, "ann@x.com"))
    state = everything(organisation)["contacts"].get(ann.pk)

    told = undo(pk)

    assert (told["code"], told["restored"], told["deleted"]) == (1, {}, {"contact": 1})
    (kept,) = told["keptRows"]
    assert (kept["id"], kept["reason"]) == (ann.pk, reason)
    assert everything(organisation)["contacts"].get(ann.pk) == state


def test_what_is_beside_what_the_import_changed_is_no_hindrance(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    pk = imported(["ann@x.com", "", "Ann", "", "", "", ""])
    add_activity(ann)
    services.tag(contacts=ann, name="New")
    custom_fields.set_values(contact=ann, values={"diet": "Vegan"})

    assert undo(pk)["code"] == 0

    now = everything(organisation)["contacts"][ann.pk]
    assert (now["first_name"], now["name"]) == ("Anna", "Anna")
    assert (now["tags"], now["totals"]["total_spend"]) == (["New", "Old", "Spa"], 4500)
    assert now["values"][0][1] == "Vegan"


def test_a_former_identifier_that_another_has_by_now_is_not_taken_from_them(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    services.update(contact=ann, values={"phone_number": "07700900005"})
    before = everything(organisation)["contacts"][ann.pk]
    pk = imported(["ann@x.com", "07700900009", "Ann", *[""] * 4], BOB)
    other, _new = services.upsert(
        organisation=organisation, values={"phone_number": "07700 900005", "name": "Other"}
    )

    told = undo(pk)

    assert (told["code"], told["deleted"]) == (1, {"contact": 1})
    (kept,) = told["keptRows"]
    reason = f"Contact {other.pk} has its former e-mail address or phone number by now."
    assert (kept["id"], kept["reason"]) == (ann.pk, reason)
    services.delete(contact=other)
    assert undo(pk)["code"] == 0
    assert everything(organisation)["contacts"][ann.pk] == before


def test_a_former_unique_value_that_another_has_by_now_is_not_taken_from_them(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    custom_fields.define(organisation=organisation, label="Code", type="Text", unique=True)
    custom_fields.set_values(contact=ann, values={"code": "A1"})
    pk = imported(["ann@x.com", "A2"], headers=["E-mail", "Code"])
    other, _new = services.upsert(
        organisation=organisation,
        values={"email_address": "o@x.com", "customFields": {"code": "A1"}},
    )

    (kept,) = undo(pk)["keptRows"]

    reason = f"Contact {other.pk} has its former Code by now, which is unique."
    assert (kept["id"], kept["reason"]) == (ann.pk, reason)


def test_identifiers_go_back_from_hand_to_hand(
    organisation: Organisation, imported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By contacts that no batch has together."""
    one_by_one = [dataclasses.replace(step, rows=1) for step in undoing.STEPS]
    monkeypatch.setattr(undoing, "STEPS", one_by_one)
    custom_fields.define(organisation=organisation, label="Code", type="Text", unique=True)
    for number in range(4):
        services.upsert(
            organisation=organisation,
            values={
                "email_address": f"{number}@x.com",
                "phone_number": f"0770090000{number}",
                "customFields": {"code": f"C{number}"},
            },
        )
    before = everything(organisation)
    headers = ["E-mail", "Phone", "Code"]
    round_about = [
        ["0@x.com", "07700900008", "C8"],
        ["1@x.com", "07700900000", "C0"],
        ["2@x.com", "07700900001", "C1"],
        ["3@x.com", "07700900002", "C2"],
        ["0@x.com", "07700900003", "C3"],
        ["9@x.com", "07700900008", "C8"],
    ]

    told = undo(imported(*round_about, headers=headers))

    assert (told["code"], told["restored"], told["deleted"]) == (0, {"contact": 4}, {"contact": 1})
    assert everything(organisation) == before


def test_one_who_is_kept_keeps_those_who_want_its_identifier(
    organisation: Organisation, imported: Any
) -> None:
    for number in range(3):
        services.upsert(
            organisation=organisation,
            values={"email_address": f"{number}@x.com", "phone_number": f"0770090000{number}"},
        )
    rows = [
        ["0@x.com", "07700900008"],
        ["1@x.com", "07700900000"],
        ["2@x.com", "07700900001"],
    ]
    pk = imported(*rows, headers=["E-mail", "Phone"])
    changed = services.update(
        contact=named(organisation, "1@x.com"), values={"first_name": "Changed"}
    )
    state = everything(organisation)

    told = undo(pk)

    assert [row["name"] for row in told["keptRows"]] == ["0@x.com", "Changed"]
    assert str(changed.pk) in told["keptRows"][0]["reason"]
    now = everything(organisation)["contacts"]
    assert now[changed.pk] == state["contacts"][changed.pk]
    assert named(organisation, "2@x.com").phone_number == "07700900002"


def test_what_was_erased_is_remembered_by_no_import(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    """Nor is what an import had replaced, or the name of a row that an undo kept."""
    pk = imported(ANN, BOB)
    services.update(contact=named(organisation, "ann@x.com"), values={"first_name": "Annie"})
    assert undo(pk)["code"] == 1

    services.redact(contact=ann)

    (row,) = ImportedRow.objects.filter(row_id=ann.pk)
    (kept,) = KeptRow.objects.filter(row_id=ann.pk)
    assert (row.before, kept.name) == ({}, "")
    (told,) = undo(pk)["keptRows"]
    assert told["reason"] == "It was redacted since."


def test_what_was_deleted_is_remembered_by_no_import(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    pk = imported(ANN)

    services.delete(contact=ann)

    assert ImportedRow.objects.get(row_id=ann.pk).before == {}
    (told,) = undo(pk)["keptRows"]
    assert (told["name"], told["reason"]) == ("", "It was deleted since.")


def test_nor_is_what_an_undo_deleted(organisation: Organisation, imported: Any) -> None:
    first = imported(ANN)
    second = imported(["ann@x.com", "", "Anne", *[""] * 4])
    undo(second)
    assert ImportedRow.objects.get(run=second).before["columns"]

    undo(first)

    assert ImportedRow.objects.get(run=second).before == {}


# Custom fields


def test_custom_fields_that_it_made_go_unless_others_use_them(
    organisation: Organisation, tmp_path: Path
) -> None:
    headers = ["E-mail", "Colour", "Shoe size"]
    path = write_csv(tmp_path / "a.csv", headers, [["a@x.com", "red", "41"]])
    pk = report("import_contacts", path, organisation, "--create-fields")["importId"]
    services.upsert(
        organisation=organisation,
        values={"email_address": "o@x.com", "customFields": {"colour": "blue"}},
    )

    told = undo(pk)

    assert (told["code"], told["deleted"]) == (1, {"contact": 1, "custom field": 1})
    (kept,) = told["keptRows"]
    assert (kept["what"], kept["name"]) == ("custom field", "Colour")
    assert kept["reason"].startswith("1 contact has a value in Colour.")
    names = CustomField.objects.for_organisation(organisation).values_list("name", flat=True)
    assert set(names) == {"diet", "colour"}


def test_a_custom_field_that_is_gone_keeps_what_had_a_value_in_it(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    pk = imported(ANN)
    diet = CustomField.objects.for_organisation(organisation).get()
    custom_fields.remove(field=diet, force=True)

    (kept,) = undo(pk)["keptRows"]

    assert (kept["id"], kept["reason"]) == (ann.pk, "The custom field diet is gone.")


# What cannot be undone


def test_an_import_that_is_not_finished(organisation: Organisation, imported: Any) -> None:
    before = everything(organisation)
    pk = imported(ANN)
    Import.objects.for_organisation(organisation).update(status=Import.Status.RUNNING)

    code, _out, err = run("undo_import", pk)

    assert code == 2
    assert f"Import {pk} is still running, or was stopped" in err
    assert undo(pk, "--unfinished")["code"] == 0
    assert everything(organisation) == before


@pytest.mark.parametrize("given", ["999999", "x", "-1", "9" * 30, ""])
def test_an_import_that_is_not_there(organisation: Organisation, given: str) -> None:
    code, out, err = run("undo_import", "--", given)

    assert (code, out, err) == (2, "", f"There is no import {given}.\n")


def test_an_import_of_another_organisation(
    organisation: Organisation, other_organisation: Organisation, imported: Any
) -> None:
    pk = imported(ANN)

    code, _out, err = run("undo_import", pk, "--organisation", other_organisation.pk)

    assert (code, err) == (2, f"There is no import {pk}.\n")
    assert undo(pk, "--organisation", organisation.pk)["code"] == 0


def test_a_dry_run_says_the_same_and_writes_nothing(
    organisation: Organisation, imported: Any, ann: Contact
) -> None:
    pk = imported(ANN, BOB, ["cat@x.com", *[""] * 6])
    add_activity(named(organisation, "bob@x.com"))
    state = everything(organisation)

    rehearsed = undo(pk, "--dry-run")

    assert everything(organisation) == state
    assert Import.objects.for_organisation(organisation).get().status == Import.Status.COMPLETED
    told = undo(pk)
    for name in ("code", "deleted", "restored", "kept", "keptRows"):
        assert rehearsed[name] == told[name]
    assert (told["code"], told["deleted"], told["restored"]) == (
        1,
        {"contact": 1},
        {"contact": 1},
    )


def test_it_stops_after_its_seconds_and_goes_on(
    organisation: Organisation, imported: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one = [dataclasses.replace(step, rows=1) for step in undoing.STEPS]
    monkeypatch.setattr(undoing, "STEPS", one_by_one)
    before = everything(organisation)
    imported(ANN, BOB)
    import_ = Import.objects.for_organisation(organisation).get()

    assert not undoing.undo(run=import_, seconds=0).finished
    report = undoing.undo(run=import_)

    assert (report.finished, report.deleted) == (True, {"contact": 2})
    assert everything(organisation) == before


# Cost


@pytest.mark.parametrize("known", [False, True])
def test_queries_do_not_grow_with_the_rows(
    organisation: Organisation, imported: Any, known: bool
) -> None:
    def queries(number: int) -> int:
        headers = ["E-mail", "First name", "City", "Tags", "Diet"]
        people = [f"{number}-{n}@x.com" for n in range(number)]
        if known:
            imported(*([one, "Old", "Bath", "A", "Fish"] for one in people), headers=headers)
        pk = imported(*([one, "New", "York", "B", "Meat"] for one in people), headers=headers)
        with CaptureQueriesContext(
            connection,
        ) as context:
            undo(pk)
        return len(context)

    assert queries(3) == queries(60) < 75
    assert not list(rollups.drift(organisation))
