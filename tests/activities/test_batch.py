"""POST /activities/batch: as if each row had been posted by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.models import Activity
from contacts.models import Contact
from organisations.models import Organisation
from tests.activities.conftest import MOMENT, purchase
from tests.conftest import ApiClient
from tests.factories import api_key


def test_each_row_has_its_result(api: Any, contact: Contact) -> None:
    response = api.post(
        "/activities/batch",
        {
            "activities": [
                purchase(contact.pk, externalReference="A"),
                purchase(contact.pk, spend="4.50"),
                purchase(contact.pk, externalReference="A"),
                purchase(contact.pk, type="Purchaes"),
                purchase({"emailAddress": "new@example.com"}),
                purchase(4242),
            ]
        },
    )
    assert response.status_code == 200, response.content
    results = response.json()["results"]
    assert [(one["index"], one["status"]) for one in results] == [
        (0, 201),
        (1, 422),
        (2, 200),
        (3, 422),
        (4, 201),
        (5, 422),
    ]
    assert results[0]["id"] == results[2]["id"]
    assert [one["violations"][0]["propertyPath"] for one in results if "violations" in one] == [
        "spend",
        "type",
        "contact",
    ]
    assert api.get(f"/contacts/{contact.pk}").json()["totalOrders"] == 1


def test_atomic_writes_all_or_nothing(api: Any, contact: Contact) -> None:
    good = [purchase(contact.pk), purchase({"emailAddress": "new@example.com"})]
    refused = api.post("/activities/batch?atomic=true", {"activities": [*good, purchase(4242)]})
    assert refused.status_code == 422
    (violation,) = refused.json()["violations"]
    assert violation["propertyPath"] == "activities[2].contact"
    assert not Activity.objects.across_organisations().exists()
    assert Contact.objects.across_organisations().count() == 1
    taken = api.post("/activities/batch?atomic=true", {"activities": good})
    assert [one["status"] for one in taken.json()["results"]] == [201, 201]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"activities": []},
        {"activities": {}},
        {"activities": [{}] * 1001},
        {"activities": [{}], "mode": "fast"},
        [],
    ],
)
def test_the_body_is_an_array_of_at_most_a_thousand(api: Any, body: Any) -> None:
    assert api.post("/activities/batch", body).status_code == 422


def test_history_in_a_batch(api: Any, contact: Contact) -> None:
    rows = {"activities": [purchase(contact.pk)]}
    api.post("/activities/batch?backfill=true", rows)
    api.post("/activities/batch", rows | {"backfill": True})
    api.post("/activities/batch", {"activities": [purchase(contact.pk, backfill=True)]})
    assert (
        list(Activity.objects.across_organisations().values_list("backfill", flat=True))
        == [True] * 3
    )


def test_a_large_batch_costs_no_more_queries_than_a_small_one(
    api: Any, organisation: Organisation, django_assert_max_num_queries: Any
) -> None:
    contacts = [
        one["id"]
        for one in api.post(
            "/contacts/batch",
            {"contacts": [{"emailAddress": f"c{n}@example.com"} for n in range(50)]},
        ).json()["results"]
    ]
    rows = [
        purchase(contacts[n % 50], externalReference=f"R{n}", currencyCode="EUR" if n % 3 else None)
        for n in range(1000)
    ]
    # The key, savepoint and release, contacts, rows, lock, totals, other currencies.
    with django_assert_max_num_queries(8):
        first = api.post("/activities/batch", {"activities": rows})
    assert {one["status"] for one in first.json()["results"]} == {201}
    with django_assert_max_num_queries(8):
        again = api.post("/activities/batch", {"activities": rows})
    assert {one["status"] for one in again.json()["results"]} == {200}


def test_bookings_of_a_batch_are_written_together(
    api: Any, contact: Contact, django_assert_max_num_queries: Any
) -> None:
    def rows(status: str, numbers: range) -> Any:
        return {
            "activities": [
                purchase(
                    contact.pk,
                    type=status,
                    booking={"externalReference": f"B{n // 2}", "status": status, "total": n},
                )
                for n in numbers
            ]
        }

    with django_assert_max_num_queries(12):
        api.post("/activities/batch", rows("Booking", range(40)))
    with django_assert_max_num_queries(12):
        api.post("/activities/batch", rows("Checked in", range(40)))
    bookings = api.get("/bookings?itemsPerPage=100").json()
    assert len(bookings) == 20
    assert {one["status"] for one in bookings} == {"Checked in"}
    assert {one["total"] for one in bookings} == set(range(1, 40, 2))


TYPES = st.sampled_from(["Purchase", "Login", "Gift card registered", "Nonsense", "Spa"])
CONTACTS = st.one_of(
    st.sampled_from([0, 1, 2]),  # the third is not there
    st.sampled_from(["a@example.com", "new@example.com"]).map(
        lambda email: {"emailAddress": email}
    ),
    st.just({"emailAddress": "not an address"}),
)
BOOKINGS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "externalReference": st.sampled_from(["B1", "B2"]),
        "status": st.sampled_from(["Confirmed", "Cancelled"]),
        "total": st.integers(0, 5),
    },
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "contact": CONTACTS,
            "type": TYPES,
            "source": st.just("till"),
            "happenedAt": st.just(MOMENT),
            "spend": st.integers(-5, 5),
            "currencyCode": st.sampled_from(["GBP", "EUR"]),
            "externalReference": st.sampled_from([None, "R1", "R2"]),
            "giftCard": st.sampled_from([None, 1]),
            "booking": BOOKINGS,
        }
    ),
    max_size=8,
)


@given(before=ROWS, rows=ROWS)
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_batch_gives_what_its_rows_give_one_by_one(
    organisation: Organisation, before: list[Any], rows: list[Any]
) -> None:
    results = []
    for one_by_one in (True, False):
        house = Organisation.objects.create(name="House")
        api = ApiClient(api_key(house))
        api.post("/activity-types", {"name": "Spa", "countsAsOrder": True})
        there = [
            api.post("/contacts", {"emailAddress": f"{name}@example.com"}).json()["id"]
            for name in "ab"
        ]

        def addressed(row: Any, there: list[int] = there) -> Any:
            if isinstance(row["contact"], int):
                return row | {"contact": [*there, 10**9][row["contact"]]}
            return row

        for row in before:
            api.post("/activities", addressed(row))
        if one_by_one:
            answers = [api.post("/activities", addressed(row)) for row in rows]
            statuses = [answer.status_code for answer in answers]
        elif rows:
            batch = api.post("/activities/batch", {"activities": [addressed(row) for row in rows]})
            statuses = [one["status"] for one in batch.json()["results"]]
        else:
            statuses = []
        results.append((statuses, told(house)))
    assert results[0] == results[1]


def told(house: Organisation) -> Any:
    """All that an organisation holds, without ids."""
    api = ApiClient(api_key(house))
    contacts = {
        one["id"]: one["emailAddress"] for one in api.get("/contacts?itemsPerPage=99").json()
    }

    def bare(row: Any) -> Any:
        hidden = {"id", "organisation", "createdAt", "updatedAt"}
        shown = {key: value for key, value in row.items() if key not in hidden}
        if "contact" in shown:
            shown["contact"] = contacts[shown["contact"]]
        if shown.get("booking"):
            shown["booking"] = bare(shown["booking"])
        return shown

    return [
        sorted((bare(row) for row in api.get(f"/{path}?itemsPerPage=99").json()), key=repr)
        for path in ("contacts", "activities", "bookings")
    ]
