"""POST /contacts/batch."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import services
from contacts.models import Contact
from crm.errors import Conflict
from tests.factories import OrganisationFactory


def test_each_row_is_answered_by_itself(api: Any) -> None:
    known = api.post("/contacts", {"emailAddress": "known@example.com"}).json()["id"]
    other = api.post("/contacts", {"phoneNumber": "07700900001"}).json()["id"]

    response = api.post(
        "/contacts/batch",
        {
            "contacts": [
                {"emailAddress": "new@example.com", "tags": ["VIP"]},
                {"emailAddress": "KNOWN@example.com", "firstName": "Known"},
                {"emailAddress": "not one"},
                {"emailAddress": "known@example.com", "phoneNumber": "07700900001"},
                {"firstName": "Nobody"},
                {"emailAddress": "new@example.com", "lastName": "Again"},
                {"unknown": 1, "emailAddress": "x@example.com"},
                "no object",
            ]
        },
    )

    assert response.status_code == 200, response.content
    results = response.json()["results"]
    assert [row["index"] for row in results] == list(range(8))
    assert [row["status"] for row in results] == [201, 200, 422, 409, 422, 200, 422, 422]
    assert results[1]["id"] == known
    assert results[3]["ids"] == [known, other]
    assert results[2]["violations"][0]["propertyPath"] == "emailAddress"
    assert results[5]["id"] == results[0]["id"]
    told = api.get(f"/contacts/{results[0]['id']}").json()
    assert told["lastName"] == "Again"
    assert [tag["name"] for tag in told["tags"]] == ["VIP"]
    assert api.get(f"/contacts/{known}").json()["firstName"] == "Known"


def test_atomic_writes_all_or_none(api: Any) -> None:
    good, bad = {"emailAddress": "good@example.com"}, {"emailAddress": "bad"}

    refused = api.post("/contacts/batch?atomic=true", {"contacts": [good, bad]})
    assert refused.status_code == 422
    assert refused.json()["violations"][0]["propertyPath"] == "contacts[1].emailAddress"
    assert api.get("/contacts").json() == []

    api.post("/contacts", {"phoneNumber": "07700900001"})
    api.post("/contacts", {"emailAddress": "other@example.com"})
    both = {"emailAddress": "other@example.com", "phoneNumber": "07700900001"}
    refused = api.post("/contacts/batch?atomic=true", {"contacts": [good, both]})
    assert refused.status_code == 422
    assert len(api.get("/contacts").json()) == 2

    assert api.post("/contacts/batch?atomic=true", {"contacts": [good]}).status_code == 200
    assert len(api.get("/contacts").json()) == 3


@pytest.mark.parametrize("rows", [[], None, "x", [{}] * 1001])
def test_a_batch_has_between_1_and_1000_rows(api: Any, rows: Any) -> None:
    assert api.post("/contacts/batch", {"contacts": rows}).status_code == 422


def test_a_tag_that_follows_a_rule_refuses_its_row_only(api: Any, organisation: Any) -> None:
    services.create_tag(organisation=organisation, name="Segment", kind="segment")

    results = api.post(
        "/contacts/batch",
        {
            "contacts": [
                {"emailAddress": "a@example.com", "tags": ["Segment"]},
                {"emailAddress": "b@example.com", "tags": ["Own"]},
            ]
        },
    ).json()["results"]

    assert [row["status"] for row in results] == [422, 201]


def queries_of(organisation: Any, rows: list[dict[str, Any]]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        results = services.upsert_batch(organisation=organisation, rows=rows)
    assert all(result.error is None for result in results)
    return len(queries)


def test_a_thousand_rows_cost_about_what_ten_do(organisation: Any) -> None:
    def rows(number: int, prefix: str, name: str) -> list[dict[str, Any]]:
        return [
            {
                "email_address": f"{prefix}{n}@example.com",
                "phone_number": f"+44770{len(prefix)}{n:06}",
                "first_name": name,
                "tags": ["VIP"],
                "addresses": [{"line1": f"{n} High Street"}],
            }
            for n in range(number)
        ]

    few = queries_of(organisation, rows(10, "a", "Few"))
    many = queries_of(organisation, rows(1000, "bb", "Many"))
    few_again = queries_of(organisation, rows(10, "a", "Other"))
    many_again = queries_of(organisation, rows(1000, "bb", "Other"))

    # SQLite takes fewer values in a statement, so that its inserts come in several.
    spare = 0 if connection.vendor == "postgresql" else 200
    assert many <= few + 12 + spare
    assert many_again <= few_again + 12 + spare
    assert Contact.objects.for_organisation(organisation).filter(first_name="Other").count() == 1010


EMAILS = st.sampled_from([None, "a@example.com", "B@example.com", "c@example.com", "bad"])
PHONES = st.sampled_from([None, "07700900001", "+447700900001", "07700900002", "1"])
ROWS = st.fixed_dictionaries(
    {"email_address": EMAILS, "phone_number": PHONES},
    optional={
        "first_name": st.sampled_from(["Ann", "Bob", None]),
        "tags": st.lists(st.sampled_from(["x", "X", "y", "rule"]), max_size=2),
        "addresses": st.lists(
            st.fixed_dictionaries({"line1": st.sampled_from(["1", "2"])}), max_size=2
        ),
    },
)


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=st.lists(ROWS, max_size=3), rows=st.lists(ROWS, min_size=1, max_size=6))
def test_a_batch_does_what_its_rows_would_one_by_one(
    before: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    together, apart = OrganisationFactory(), OrganisationFactory()
    for organisation in (together, apart):
        services.create_tag(organisation=organisation, name="rule", kind="segment")
        one_by_one(organisation, before)

    results = services.upsert_batch(organisation=together, rows=rows)

    assert [outcome(result) for result in results] == one_by_one(apart, rows)
    assert state(together) == state(apart)


def outcome(result: Any) -> str:
    if result.error is not None:
        return type(result.error).__name__
    return "created" if result.created else "updated"


def one_by_one(organisation: Any, rows: list[dict[str, Any]]) -> list[str]:
    outcomes = []
    for row in rows:
        try:
            _contact, created = services.upsert(organisation=organisation, values=row)
            outcomes.append("created" if created else "updated")
        except (Conflict, ValidationError) as error:
            outcomes.append(type(error).__name__)
    return outcomes


def state(organisation: Any) -> list[Any]:
    contacts = Contact.objects.for_organisation(organisation).with_everything().order_by("pk")
    return [
        (
            contact.email_address,
            contact.email_key,
            contact.phone_number,
            contact.phone_number_e164,
            contact.first_name,
            contact.name,
            contact.search_text,
            [tag.name for tag in contact.tags.all()],
            [address.line1 for address in contact.addresses.all()],
            contact.rollup.total_spend,
        )
        for contact in contacts
    ]
