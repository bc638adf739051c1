"""The import wizard, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities.models import Activity
from contacts import services as contacts
from contacts.models import Contact
from customfields import services as custom_fields
from customfields.models import CustomField
from imports.models import Import
from imports.wizard import working
from imports.wizard.models import Upload, UploadPiece
from organisations import roles
from organisations.models import Organisation
from tests.imports.wizard import (
    check,
    choices,
    counts,
    done,
    page,
    send,
    start,
    table,
    uploaded,
)

pytestmark = pytest.mark.django_db

HEADERS = ["E-mail", "First name", "City"]


@pytest.fixture(autouse=True)
def known(organisation: Organisation) -> Contact:
    contact, _created = contacts.upsert(
        organisation=organisation,
        values={"email_address": "known@x.com", "first_name": "Old", "tags": ["VIP"]},
    )
    return contact


def names(organisation: Organisation) -> dict[str, str]:
    people = Contact.objects.for_organisation(organisation)
    return dict(people.values_list("email_address", "first_name"))


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


# The whole way.


def test_a_file_is_uploaded_matched_looked_at_and_imported(
    owner: Client, organisation: Organisation
) -> None:
    content = table(
        HEADERS,
        ["known@x.com", "New", "Bath"],
        ["a@x.com", "Ann", ""],
        ["bad", "Bob", ""],
    )
    upload = uploaded(owner, content)
    assert upload.stage == Upload.Stage.COLUMNS
    assert upload.choices["columns"] == {
        "E-mail": "email_address",
        "First name": "first_name",
        "City": "addresses.0.city",
    }

    answer = check(owner, upload)
    assert answer.headers["Location"] == page(upload, "preview")
    assert counts(upload) == (1, 1, 0, 1)
    assert names(organisation) == {"known@x.com": "Old"}

    start(owner, upload)
    assert done(upload) == counts(upload)
    assert names(organisation) == {"known@x.com": "New", "a@x.com": "Ann"}
    report = text(owner, page(upload, "report"))
    assert "people.csv is imported" in report
    assert "1 row was not taken." in report
    # Nobody needs the content any more.
    assert not UploadPiece.objects.exists()


def test_what_changes_is_shown_field_by_field(owner: Client) -> None:
    upload = uploaded(owner, table(HEADERS, ["known@x.com", "New", "Bath"], ["a@x.com", "Ann", ""]))
    check(owner, upload, add_tags="Spring")

    changed = text(owner, page(upload, "preview") + "?show=updated")
    for line in ("<del>Old</del>", "<ins>New</ins>", "<ins>Bath</ins>", "<ins>Spring</ins>"):
        assert line in changed
    created = text(owner, page(upload, "preview") + "?show=created")
    assert "<ins>a@x.com</ins>" in created
    assert "Time zone" not in created


def test_rows_of_one_contact_show_what_each_of_them_changes(owner: Client) -> None:
    upload = uploaded(
        owner,
        table(
            HEADERS,
            ["known@x.com", "One", ""],
            ["known@x.com", "Two", ""],
            ["n@x.com", "A", ""],
            ["n@x.com", "B", ""],
        ),
    )
    check(owner, upload)

    rows = {row.line: row.changes for row in upload.preview.all()}
    assert rows[2]["columns"]["first_name"] == ["Old", "One"]
    assert rows[3]["columns"]["first_name"] == ["One", "Two"]
    assert rows[4]["columns"]["first_name"] == [None, "A"]
    assert rows[5]["columns"]["first_name"] == ["A", "B"]


def test_activities_are_imported_too(owner: Client, organisation: Organisation) -> None:
    content = table(
        ["E-mail", "Date", "Total", "Order number", "Waiter"],
        ["known@x.com", "13/04/2026 19:30", "45.50", "SO-1", "Ann"],
        ["known@x.com", "14/04/2026 19:30", "10.00", "SO-1", "Ann"],
    )
    upload = uploaded(owner, content, kind="activities")
    assert upload.choices["options"] == {"date_format": "%d/%m/%Y %H:%M", "spend_in": "major"}

    refused = check(owner, upload)
    assert "Choose the type for all rows" in refused.content.decode()

    check(owner, upload, {"Waiter": "data"}, type="Purchase", source="till")
    assert counts(upload) == (1, 0, 1, 0)
    assert "£45.50" in text(owner, page(upload, "preview"))
    start(owner, upload)
    activity = Activity.objects.for_organisation(organisation).get()
    assert (activity.spend, activity.data, activity.source) == (4550, {"Waiter": "Ann"}, "till")
    assert activity.happened_at.isoformat() == "2026-04-13T18:30:00+00:00"


# Columns.


def test_headers_are_known_in_other_languages_and_beside_each_other(owner: Client) -> None:
    upload = uploaded(
        owner, table(["E-Mail", "Vorname", "Name", "PLZ"], ["a@x.com", "A", "B", "1"])
    )

    assert upload.choices["columns"] == {
        "E-Mail": "email_address",
        "Vorname": "first_name",
        "Name": "last_name",
        "PLZ": "addresses.0.postcode",
    }


def test_a_custom_field_is_made_of_a_column(owner: Client, organisation: Organisation) -> None:
    content = table(["E-mail", "Shoe"], ["a@x.com", "43"], ["b@x.com", "large"])
    upload = uploaded(owner, content)
    assert 'value="Text" selected' in text(owner, page(upload, "columns"))

    check(owner, upload, {"Shoe": "new"}, label_1="Shoe size", type_1="Number")
    assert counts(upload) == (1, 0, 0, 1)
    preview = text(owner, page(upload, "preview") + "?show=created")
    assert "Shoe size" in preview
    assert not CustomField.objects.for_organisation(organisation).exists()

    start(owner, upload)
    made = CustomField.objects.for_organisation(organisation).get()
    assert (made.label, made.type) == ("Shoe size", "Number")
    ann = Contact.objects.for_organisation(organisation).get(email_address="a@x.com")
    assert ann.custom_field_values.get().value_number == 43


@pytest.mark.parametrize(
    ("columns", "given", "said"),
    [
        ({"E-mail": ""}, {}, "nobody can be told from anybody"),
        ({"City": "first_name"}, {}, "“First name” is First name too"),
        ({"City": "custom_fields.gone"}, {}, "There is no such field any more"),
        ({"City": "new"}, {"label_2": " ", "type_2": "Text"}, "Give the new field a name."),
        ({"City": "new"}, {"label_2": "Diet", "type_2": "Text"}, "There is a field of this name"),
        ({"City": "new"}, {"label_2": "Town", "type_2": "Select"}, "Choose a type."),
        ({}, {"add_tags": "Rule"}, "Rule is put on by a rule"),
        ({}, {"date_format": "%Q"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_typed_is_lost(
    columns: dict[str, str],
    given: dict[str, str],
    said: str,
    owner: Client,
    organisation: Organisation,
) -> None:
    custom_fields.define(organisation=organisation, label="Diet", type="Text")
    contacts.create_tag(organisation=organisation, name="Rule", kind="segment")
    upload = uploaded(owner, table(HEADERS, ["a@x.com", "Ann", "Bath"]))

    answer = check(owner, upload, columns, **given)

    assert answer.status_code == 200
    page_text = answer.content.decode()
    assert said in page_text
    assert upload.stage == Upload.Stage.COLUMNS
    for name, value in given.items():
        if name.startswith("label"):
            assert f'value="{value}"' in page_text


def test_a_column_that_is_worked_out_is_left_out_and_says_why(owner: Client) -> None:
    upload = uploaded(owner, table(["E-mail", "Total spent"], ["a@x.com", "12"]))

    assert upload.choices["columns"]["Total spent"] == ""
    assert "which is worked out from the contact&#x27;s activities" in text(
        owner, page(upload, "columns")
    )


def test_files_with_the_same_columns_are_known_again(
    owner: Client, organisation: Organisation
) -> None:
    first = uploaded(owner, table(["E-mail", "Foo", "Bar"], ["a@x.com", "Ann", "43"]))
    check(
        owner,
        first,
        {"Foo": "first_name", "Bar": "new"},
        label_2="Size",
        type_2="Number",
        mode="create",
        add_tags="Once",
    )
    start(owner, first)

    again = uploaded(owner, table(["Bar", "E-mail", "Foo"], ["44", "b@x.com", "Bob"]))

    assert again.choices["columns"] == {
        "Bar": "custom_fields.size",
        "E-mail": "email_address",
        "Foo": "first_name",
    }
    assert again.choices["options"]["mode"] == "create"
    assert "add_tags" not in again.choices["options"]
    assert "this is what you said then" in text(owner, page(again, "columns"))


def test_going_back_and_forth_loses_nothing(owner: Client) -> None:
    upload = uploaded(owner, table(HEADERS, ["a@x.com", "Ann", "Bath"]))
    half = choices(upload, {"City": "new"}) | {"label_2": "Town", "type_2": "Text", "do": "back"}

    answer = owner.post(page(upload, "columns"), half)
    assert answer.headers["Location"] == page(upload, "file")
    assert 'value="Town"' in text(owner, page(upload, "columns"))

    check(owner, upload, label_2="Town", type_2="Text")
    assert upload.stage == Upload.Stage.CHECKED
    rehearsed = upload.updated_at
    # The same once more is the same preview: nothing is rehearsed again.
    again = check(owner, upload, label_2="Town", type_2="Text")
    assert again.headers["Location"] == page(upload, "preview")
    assert upload.updated_at == rehearsed


def test_phones_are_read_in_the_country_that_was_chosen(
    owner: Client, organisation: Organisation
) -> None:
    upload = uploaded(owner, table(["Phone", "First name"], ["06 12 34 56 78", "Ann"]))
    check(owner, upload, country="FR")
    start(owner, upload)

    ann = Contact.objects.for_organisation(organisation).get(first_name="Ann")
    assert ann.phone_number_e164 == "+33612345678"


def test_tags_are_put_on_beside_those_that_are_there(
    owner: Client, organisation: Organisation, known: Contact
) -> None:
    upload = uploaded(owner, table(HEADERS, ["known@x.com", "", ""], ["a@x.com", "", ""]))
    check(owner, upload, add_tags="Spring, vip; ")
    assert counts(upload) == (1, 1, 0, 0)

    start(owner, upload)

    def tags(email: str) -> set[str]:
        person = Contact.objects.for_organisation(organisation).get(email_address=email)
        return set(person.tags.across_organisations().values_list("name", flat=True))

    assert tags("known@x.com") == {"VIP", "Spring"}
    assert tags("a@x.com") == {"VIP", "Spring"}


# Correcting.


def test_a_failing_row_is_corrected_in_its_place_and_imported_so(
    owner: Client, organisation: Organisation
) -> None:
    content = table(HEADERS, ["bad", "Bob", "=1+1"], ["a@x.com", "Ann", ""])
    upload = uploaded(owner, content)
    check(owner, upload)
    shown = text(owner, page(upload, "preview"))
    assert "bad is not an e-mail address" in shown

    address = page(upload, "correct", 2)
    answer = owner.post(address, {"cell_0": "still bad", "cell_1": "Bob"})
    upload.refresh_from_db()
    assert counts(upload) == (1, 0, 0, 1)
    assert (
        "still bad is not an e-mail address"
        in owner.get(answer.headers["Location"]).content.decode()
    )

    owner.post(address, {"cell_0": "bob@x.com", "cell_1": "Bob"})
    upload.refresh_from_db()
    assert counts(upload) == (2, 0, 0, 0)
    assert upload.counts["fields"] == {}
    mended = text(owner, page(upload, "preview") + "?show=failed")
    assert "Corrected: Created" in mended
    assert "In the file: bad" in mended

    start(owner, upload)
    assert done(upload) == (2, 0, 0, 0)
    bob = Contact.objects.for_organisation(organisation).get(email_address="bob@x.com")
    assert bob.addresses.get().city == "=1+1"


def test_a_row_that_is_no_row_is_corrected_too(owner: Client, organisation: Organisation) -> None:
    content = b"E-mail,First name,City\r\na@x.com,Ann\r\nb@x.com,Bob,Bath\r\n"
    upload = uploaded(owner, content)
    check(owner, upload)
    assert "The row has 2 cells, the header 3." in text(owner, page(upload, "preview"))

    owner.post(page(upload, "correct", 2), {"cell_0": "a@x.com", "cell_1": "Ann", "cell_2": "Rome"})
    start(owner, upload)

    assert done(upload) == (2, 0, 0, 0)
    ann = Contact.objects.for_organisation(organisation).get(email_address="a@x.com")
    assert (ann.first_name, ann.addresses.get().city) == ("Ann", "Rome")


def test_corrections_outlive_another_rehearsal_and_other_columns(owner: Client) -> None:
    upload = uploaded(owner, table(HEADERS, ["bad", "Bob", ""]))
    check(owner, upload)
    owner.post(page(upload, "correct", 2), {"cell_0": "bob@x.com"})

    check(owner, upload, {"City": ""})

    assert counts(upload) == (1, 0, 0, 0)


def test_the_errors_file_has_what_was_refused_and_comes_back_mended(
    owner: Client, organisation: Organisation
) -> None:
    upload = uploaded(owner, table(HEADERS, ["bad", "Bob", "+44"], ["a@x.com", "Ann", ""]))
    check(owner, upload)
    start(owner, upload)

    answer = owner.get(page(upload, "errors"))
    content = b"".join(answer.streaming_content).decode()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="people.csv.errors.csv"'
    assert content == (
        "\ufefferror_line,error_field,error_reason,E-mail,First name,City\r\n"
        '2,emailAddress,"bad is not an e-mail address, such as jane@example.com.",bad,Bob,\'+44\r\n'
    )

    again = uploaded(owner, content.replace("bad,Bob", "bob@x.com,Bob").encode())
    check(owner, again)
    start(owner, again)
    bob = Contact.objects.for_organisation(organisation).get(email_address="bob@x.com")
    assert bob.addresses.get().city == "+44"


# Twice, undone, forgotten.


def test_the_same_file_is_recognised(owner: Client) -> None:
    content = table(HEADERS, ["a@x.com", "Ann", ""])
    first = uploaded(owner, content)
    check(owner, first)
    start(owner, first)

    again = uploaded(owner, content, name="renamed.csv")
    check(owner, again)
    assert counts(again) == (0, 0, 1, 0)
    for step in ("file", "preview"):
        assert "This very file was imported already" in text(owner, page(again, step))


def test_it_is_undone_like_any_import(owner: Client, organisation: Organisation) -> None:
    upload = uploaded(owner, table(["E-mail", "Shoe"], ["a@x.com", "43"], ["known@x.com", "44"]))
    check(owner, upload, {"Shoe": "new"}, label_1="Shoe", type_1="Number", add_tags="Spring")
    start(owner, upload)
    assert upload.run is not None

    undo = reverse("admin:imports_import_undo_import", args=[upload.run.pk])
    assert undo in text(owner, page(upload, "report"))
    owner.post(undo, {"confirmed": "yes"})

    assert names(organisation) == {"known@x.com": "Old"}
    assert not CustomField.objects.for_organisation(organisation).exists()
    old = Contact.objects.for_organisation(organisation).get()
    assert list(old.tags.across_organisations().values_list("name", flat=True)) == ["VIP"]
    assert "This import was undone" in text(owner, page(upload, "report"))


def test_contacts_that_it_made_are_listed(owner: Client) -> None:
    upload = uploaded(owner, table(HEADERS, ["a@x.com", "Ann", ""], ["known@x.com", "New", ""]))
    check(owner, upload)
    start(owner, upload)
    assert upload.run is not None
    address = f"{reverse('admin:contacts_contact_changelist')}?imported={upload.run.pk}"
    assert address in text(owner, page(upload, "report"))

    listed = owner.get(address).context["cl"].result_list
    assert [contact.first_name for contact in listed] == ["Ann"]


def test_a_file_that_is_not_wanted_is_forgotten(owner: Client) -> None:
    upload = uploaded(owner, table(HEADERS, ["a@x.com", "Ann", ""]))

    assert "Forget people.csv?" in text(owner, page(upload, "discard"))
    owner.post(page(upload, "discard"), {"confirmed": "yes"})

    assert not Upload.objects.across_organisations().exists()
    assert not UploadPiece.objects.exists()


def test_the_list_says_what_is_not_finished_how_far_it_is_and_who_began_it(
    owner: Client, organisation: Organisation
) -> None:
    upload = uploaded(owner, table(HEADERS, ["a@x.com", "Ann", ""]))
    address = reverse("admin:imports_import_changelist")
    assert page(upload, "columns") in text(owner, address)

    check(owner, upload)
    start(owner, upload)
    shown = text(owner, address)
    assert page(upload, "columns") not in shown
    run = Import.objects.for_organisation(organisation).get()
    assert (run.by_kind, run.by_name) == ("staff", upload.user_name)
    assert upload.user_name in shown


# Who may.


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(roles.OWNER, True), (roles.MANAGER, True), (roles.STAFF, False), (roles.READ_ONLY, False)],
)
def test_who_may_import(
    role: str,
    allowed: bool,
    owner: Client,
    organisation: Organisation,
    staff_of: Callable[..., Any],
) -> None:
    upload = uploaded(owner, table(HEADERS, ["a@x.com", "Ann", ""]))
    someone = staff_of(organisation, role)

    for address in (
        reverse("admin:imports_import_add"),
        *(page(upload, step) for step in ("file", "columns", "state", "errors", "discard")),
    ):
        assert (someone.get(address).status_code == 200) == allowed, address
    assert (send(someone, b"E-mail\r\na@x.com\r\n").status_code == 302) == allowed
    for step, form in (
        ("file", {}),
        ("columns", choices(upload)),
        ("discard", {"confirmed": "yes"}),
    ):
        assert (someone.post(page(upload, step), form).status_code == 302) == allowed


def test_nothing_of_another_organisation_is_there(
    owner: Client, other_organisation: Organisation, staff_of: Callable[..., Any]
) -> None:
    upload = uploaded(owner, table(HEADERS, ["bad", "Ann", ""]))
    check(owner, upload)
    stranger = staff_of(other_organisation)

    for step in ("file", "columns", "preview", "run", "report", "state", "errors", "discard"):
        for answer in (
            stranger.get(page(upload, step)),
            stranger.post(page(upload, step), {"do": "start", "confirmed": "yes"}),
        ):
            assert answer.status_code == 404, step
    assert stranger.post(page(upload, "correct", 2), {"cell_0": "a@x.com"}).status_code == 404
    upload.refresh_from_db()
    assert upload.stage == Upload.Stage.CHECKED


def test_a_form_of_another_site_is_refused(organisation: Organisation, owner: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = owner.cookies

    assert send(strict, table(HEADERS, ["a@x.com", "Ann", ""])).status_code == 403
    assert not Upload.objects.across_organisations().exists()


def test_custom_fields_are_made_only_by_who_may(
    owner: Client, organisation: Organisation, staff_of: Callable[..., Any]
) -> None:
    from django.contrib.auth.models import Group, Permission

    manager = staff_of(organisation, roles.MANAGER)
    Group.objects.get(name=roles.MANAGER).permissions.remove(
        Permission.objects.get(codename="add_customfield")
    )
    upload = uploaded(manager, table(["E-mail", "Shoe"], ["a@x.com", "43"]))
    assert "New custom field …" not in text(manager, page(upload, "columns"))

    check(manager, upload, {"Shoe": "new"}, label_1="Shoe", type_1="Number")
    start(manager, upload)

    assert done(upload) == (1, 0, 0, 0)
    assert not CustomField.objects.for_organisation(organisation).exists()


# Late, and costs.


def test_a_second_tab_that_is_late_is_told_so(owner: Client) -> None:
    upload = uploaded(owner, table(HEADERS, ["bad", "Ann", ""], ["a@x.com", "A", ""]))
    check(owner, upload)
    start(owner, upload)

    for step, form in (
        ("columns", choices(upload)),
        ("preview", {"do": "start"}),
        ("discard", {"confirmed": "yes"}),
        ("file", {"encoding": "utf-8"}),
        ("run", {"do": "stop"}),
    ):
        answer = owner.post(page(upload, step), form)
        assert answer.headers["Location"] == page(upload, "report"), step
    late = owner.post(page(upload, "correct", 2), {"cell_0": "b@x.com"}, follow=True)
    assert "not possible any more" in str(next(iter(late.context["messages"])))
    assert Import.objects.across_organisations().count() == 1


def test_pages_cost_the_same_however_many_rows_and_columns(owner: Client) -> None:
    def cost(rows: int, columns: int) -> dict[str, int]:
        more = [f"Column {n}" for n in range(columns)]
        content = table(
            [*HEADERS, *more],
            *([f"bad {n}", "A", "", *more] for n in range(rows)),
            *([f"a{n}@x.com", "A", "", *more] for n in range(rows)),
        )
        upload = uploaded(owner, content)
        check(owner, upload)
        found = {}
        for step in ("file", "columns", "preview", "state"):
            with CaptureQueriesContext(connection) as captured:
                assert owner.get(page(upload, step)).status_code == 200
            found[step] = len(captured)
        return found

    cost(1, 0)
    few, many = cost(1, 0), cost(40, 12)
    assert few == many
    # The session, the user, the memberships, the permissions, the upload; beside these
    # file: earlier imports; columns: custom fields; preview: earlier imports, the rows, their
    # corrections, custom fields for the words.
    assert few == {"file": 7, "columns": 7, "preview": 10, "state": 5}


def test_an_idle_look_of_the_worker_is_one_query() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert working.work() is False
    assert len(captured) == 1


def test_dates_are_read_as_most_of_them_are_written(
    owner: Client, organisation: Organisation
) -> None:
    content = table(
        ["E-mail", "Birthday"],
        ["a@x.com", "28/02/1980"],
        ["b@x.com", "13/05/1971"],
        ["c@x.com", "31/02/1990"],
    )
    upload = uploaded(owner, content)
    assert upload.choices["options"]["date_format"] == "%d/%m/%Y"

    check(owner, upload)
    assert counts(upload) == (2, 0, 0, 1)
