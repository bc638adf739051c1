"""Search from everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import misspelt, services
from contacts.models import Contact
from contacts.segments import services as segments
from customfields import services as customfields
from desk.search import answering
from integrations.models import ExternalId
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

FIND = reverse("admin:find")


@pytest.fixture
def owner(organisation: Organisation) -> Client:
    return signed_in(rows.member(organisation, roles.OWNER).user)


@pytest.fixture
def people(organisation: Organisation) -> dict[str, Contact]:
    given: list[dict[str, Any]] = [
        {"name": "Jane Hull", "email_address": "jane.hull@example.com"},
        {"name": "John Smith", "email_address": "js@example.com", "phone_number": "07837 489814"},
        {"name": "Zoë Penhaligon", "email_address": "zoe@example.org"},
        {"name": "Harbour Hulls Ltd", "kind": "business", "email_address": "boats@example.net"},
        {"name": "李 Yi", "email_address": "yi@example.net"},
    ]
    return {one["name"]: rows.contact(organisation, **one) for one in given}


def found(client: Client, text: str) -> dict[str, list[str]]:
    answer = client.get(FIND, {"q": text})
    assert answer.status_code == 200
    return {
        group["label"]: [hit["title"] for hit in group["hits"]] for group in answer.json()["groups"]
    }


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane", ["Jane Hull"]),
        ("HULL", ["Harbour Hulls Ltd", "Jane Hull"]),
        ("js@EXAMPLE.com", ["John Smith"]),
        ("+44 7837 489814", ["John Smith"]),
        ("7837489", ["John Smith"]),
        ("zo", ["Zoë Penhaligon"]),
        ("bo", ["Harbour Hulls Ltd"]),
        ("李", ["李 Yi"]),
        # Typing errors: wrong, missing, too many, exchanged, two of them; in each of several words.
        ("smyth", ["John Smith"]),
        ("jonh smith", ["John Smith"]),
        ("smiht", ["John Smith"]),
        ("penhaligan", ["Zoë Penhaligon"]),
        ("penhallygon", ["Zoë Penhaligon"]),
        ("penhalligon", ["Zoë Penhaligon"]),
        ("zoe penhalgion", ["Zoë Penhaligon"]),
        ("penhaligoon zoë", ["Zoë Penhaligon"]),
        ("jabe hull", ["Jane Hull"]),
        ("jane hukl", ["Jane Hull"]),
        ("penhalion@", []),
        ("smothe", []),
        ("nobody", []),
        ("%", []),
        ('"', []),
        ("\\", []),
    ],
)
def test_people_are_found_by_what_one_types(owner: Client, text: str, expected: list[str]) -> None:
    assert sorted(found(owner, text).get("Contacts", [])) == sorted(expected)


def test_exact_things_come_first(
    owner: Client, organisation: Organisation, people: dict[str, Contact]
) -> None:
    booked = rows.booking(organisation)
    rows.contact(organisation, name="Secret-b Sister")
    first, *_others = found(owner, "secret-b")["Contacts"]
    assert first == str(booked.contact)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("SECRET-B", "Booking SECRET-B"),
        ("SECRET-T", "Table reservation SECRET-T"),
        ("SECRET-G", "Golf reservation SECRET-G"),
        ("till-77", "Activity till-77"),
        ("7000000000123", "Id 7000000000123 in another system"),
        ("M-100", "Member M-100"),
    ],
)
def test_contacts_are_found_by_references_of_theirs(
    owner: Client, organisation: Organisation, people: dict[str, Contact], text: str, why: str
) -> None:
    jane = people["Jane Hull"]
    customfields.define(organisation=organisation, label="Member", type="Text", unique=True)
    customfields.define(organisation=organisation, label="Diet", type="Text")
    services.update(contact=jane, values={"customFields": {"member": "M-100", "diet": "secret-b"}})
    account = rows.connection(organisation)
    ExternalId.objects.create(
        organisation=organisation,
        contact=jane,
        source=account.namespace,
        external_id="7000000000123",
    )
    rows.activity(organisation, contact=jane, external_reference="till-77")
    for kind, column, fields in (
        ("Booking", "booking", {"external_reference": "SECRET-B"}),
        ("Table reservation", "table_reservation", {"origin_reference": "SECRET-T"}),
        ("Golf reservation", "golf_reservation", {"origin_reference": "SECRET-G"}),
    ):
        rows.activity(organisation, contact=jane, type=kind, **{column: fields})
    (group,) = owner.get(FIND, {"q": text}).json()["groups"]
    assert [hit["title"] for hit in group["hits"]] == ["Jane Hull"]
    assert group["hits"][0]["detail"].startswith(why)
    assert group["hits"][0]["href"] == reverse("admin:contacts_contact_change", args=[jane.pk])


def test_what_was_merged_leads_to_the_survivor(owner: Client, people: dict[str, Contact]) -> None:
    services.merge(survivor=people["Jane Hull"], absorbed=people["John Smith"])
    assert found(owner, "js@example.com")["Contacts"] == ["Jane Hull"]
    assert found(owner, f"#{people['John Smith'].pk}")["Contacts"] == ["Jane Hull"]


def test_many_lead_to_the_list(owner: Client, organisation: Organisation) -> None:
    for index in range(9):
        rows.contact(organisation, name=f"Anna {index}")
    hits = owner.get(FIND, {"q": "anna"}).json()["groups"][0]["hits"]
    assert len(hits) == 9
    assert hits[-1]["href"] == reverse("admin:contacts_contact_changelist") + "?q=anna"


def test_screens_segments_and_workflows_are_found(
    owner: Client, organisation: Organisation
) -> None:
    segments.create(organisation=organisation, name="Welcome again", rules={"all": []})
    rows.workflow(organisation, name="Welcome")
    assert found(owner, "welc") == {"Segments": ["Welcome again"], "Workflows": ["Welcome"]}
    assert found(owner, "table res") == {"Screens": ["Table reservations"]}


def test_what_was_opened_lately_is_told_as_it_is_now(
    owner: Client,
    organisation: Organisation,
    other_organisation: Organisation,
    people: dict[str, Contact],
) -> None:
    jane, john = people["Jane Hull"], people["John Smith"]
    segment = segments.create(organisation=organisation, name="Often", rules={"all": []})
    foreign = rows.contact(other_organisation)
    services.update(contact=jane, values={"name": "Jane Hill"})
    screen = reverse("admin:contacts_tag_changelist")
    keys = [
        f"contact-{jane.pk}",
        f"screen-{screen}",
        f"contact-{john.pk}",
        f"contact-{foreign.pk}",
        f"segment-{segment.pk}",
        "workflow-x",
        "nonsense",
    ]
    services.delete(contact=john)
    (group,) = owner.get(FIND, {"recent": ",".join(keys)}).json()["groups"]
    assert [hit["title"] for hit in group["hits"]] == ["Jane Hill", "Tags", "Often"]
    assert owner.get(FIND, {"recent": ""}).json() == {"groups": []}


def test_nothing_of_others_is_found(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    for make in rows.ROWS.values():
        make(other_organisation)
    theirs = Contact.objects.for_organisation(other_organisation).first()
    assert theirs is not None
    for text in ("secret", "secert", "SECRET-B", "SECRET-T", "se", str(theirs.email_address)):
        assert found(owner, text).keys() <= {"Screens"}


def test_nothing_is_found_that_one_may_not_see(
    organisation: Organisation, people: dict[str, Contact]
) -> None:
    role = Group.objects.create(name="Door")
    member = rows.member(organisation)
    member.role = role
    member.save()
    client = signed_in(member.user)
    rows.workflow(organisation, name="Jane's welcome")
    assert found(client, "jane") == {}
    assert client.get(FIND, {"recent": f"contact-{people['Jane Hull'].pk}"}).json() == {
        "groups": []
    }
    role.permissions.add(Permission.objects.get(codename="view_contact"))
    rows.activity(organisation, contact=people["Jane Hull"], external_reference="till-77")
    assert found(client, "jane") == {"Contacts": ["Jane Hull"]}
    assert found(client, "till-77") == {}


def test_it_is_for_staff_of_an_organisation(db: None) -> None:
    assert Client().get(FIND, {"q": "x"}).status_code == 302
    assert signed_in(UserFactory()).get(FIND, {"q": "x"}).status_code == 404


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("text", ["jane", "nobody", "zo", "07837 489814", "js@example.com"])
def test_a_search_costs_so_many_queries(
    owner: Client, organisation: Organisation, text: str
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            found(owner, text)
        return len(captured)

    before = queries()
    # Who asks (4); one for each kind of what is written exactly so; names, and on SQLite their
    # trigrams; the same with errors; segments and workflows. PostgreSQL is told how to read twice.
    assert before <= 4 + 15 + 8 * (connection.vendor == "postgresql")
    for index in range(12):
        rows.contact(organisation, name=f"Jane {index}")
    assert queries() <= before + 1


def test_a_text_of_any_length_is_answered(owner: Client) -> None:
    assert found(owner, "a" * 5000) == {}
    assert found(owner, " \0 ") == {}
    assert answering.LONGEST < misspelt.search.MAX_LENGTH


@pytest.mark.parametrize(
    ("word", "other", "expected"),
    [
        ("smith", "smith", 0),
        ("smi", "smith", 0),
        ("smyth", "smith", 1),
        ("smiht", "smith", 1),
        ("smth", "smith", 1),
        ("smiith", "smith", 1),
        ("mith", "smith", 1),
        ("penhalgi", "penhaligon", 1),
        ("pnehalgion", "penhaligon", 2),
        ("abcd", "wxyz", 3),
        ("abcdef", "abc", 3),
        ("penh", "", 3),
    ],
)
def test_errors_are_counted(word: str, other: str, expected: int) -> None:
    assert misspelt.errors(word, other, 2)[0] == expected
