"""Filters: read as documented, or refused by name."""

import datetime

import pytest

from contacts.models import Contact, ReferralInvite
from tests.api.sample import invite

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


def found(api, query, status=200):
    answer = api.get(f"/samples?{query}")
    assert answer.status_code == status, answer.content
    return {row["code"] for row in answer.json()} if status == 200 else answer.json()


def at(organisation, code, moment):
    row = invite(organisation, code=code)
    ReferralInvite.objects.for_organisation(organisation).filter(pk=row.pk).update(
        created_at=datetime.datetime.fromisoformat(moment)
    )
    return row


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        # A date is the whole day.
        ("createdAt[after]=2026-04-07", {"start", "shown", "end", "next"}),
        ("createdAt[before]=2026-04-07", {"eve", "start", "shown", "end"}),
        ("createdAt[strictly_after]=2026-04-07", {"next"}),
        ("createdAt[strictly_before]=2026-04-07", {"eve"}),
        # A time to the second is what the API tells, whatever the fraction behind it.
        ("createdAt[after]=2026-04-07T14:30:00%2B00:00", {"shown", "end", "next"}),
        ("createdAt[before]=2026-04-07T14:30:00Z", {"eve", "start", "shown"}),
        ("createdAt[strictly_after]=2026-04-07T14:30:00Z", {"end", "next"}),
        ("createdAt[strictly_before]=2026-04-07T14:30:00Z", {"eve", "start"}),
        ("createdAt[strictly_after]=2026-04-07T14:30:00.5Z", {"shown", "end", "next"}),
        # Another offset, and a plus that was not escaped.
        ("createdAt[before]=2026-04-07T16:30:00%2B02:00", {"eve", "start", "shown"}),
        ("createdAt[before]=2026-04-07T16:30:00+02:00", {"eve", "start", "shown"}),
        # Both ends.
        ("createdAt[after]=2026-04-07&createdAt[before]=2026-04-07", {"start", "shown", "end"}),
    ],
)
def test_ranges_of_times(api, organisation, query, codes):
    at(organisation, "eve", "2026-04-06T23:59:59.999999+00:00")
    at(organisation, "start", "2026-04-07T00:00:00+00:00")
    at(organisation, "shown", "2026-04-07T14:30:00.750000+00:00")
    at(organisation, "end", "2026-04-07T23:59:59.999999+00:00")
    at(organisation, "next", "2026-04-08T00:00:00+00:00")
    assert found(api, query) == codes


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("dob[after]=1990-05-05", {"same", "younger"}),
        ("dob[before]=1990-05-05", {"older", "same"}),
        ("dob[strictly_after]=1990-05-05", {"younger"}),
        ("dob[strictly_before]=1990-05-05", {"older"}),
    ],
)
def test_ranges_of_dates(api, organisation, query, codes):
    for code, dob in {"older": "1990-05-04", "same": "1990-05-05", "younger": "1990-05-06"}.items():
        contact = Contact.objects.create(organisation=organisation, dob=dob)
        invite(organisation, code=code, contact=contact)
    assert found(api, query) == codes


def test_ranges_of_numbers(api, organisation):
    rows = [invite(organisation, code=code) for code in "abc"]
    a, b, c = (row.contact_id for row in rows)
    assert found(api, f"number={b}") == {"b"}
    assert found(api, f"number[gt]={b}") == {"c"}
    assert found(api, f"number[gte]={b}") == {"b", "c"}
    assert found(api, f"number[lt]={b}") == {"a"}
    assert found(api, f"number[lte]={b}") == {"a", "b"}
    assert found(api, f"number[between]={a}..{b}") == {"a", "b"}
    assert found(api, f"number[between]=-5..{2**63 - 1}&number[lt]={c}") == {"a", "b"}
    assert found(api, f"number[gt]={2**63 - 1}") == set()


def test_repeated_and_other_filters(api, organisation, other_organisation):
    for code in "abc":
        invite(organisation, code=code)
    theirs = invite(other_organisation, code="a")
    there = ReferralInvite.objects.for_organisation(organisation).get(code="a")
    assert found(api, "code=a&code=b") == {"a", "b"}
    assert found(api, "code[]=a&code[]=b") == {"a", "b"}
    assert found(api, "code=a&code[]=c") == {"a", "c"}
    assert found(api, "status=Pending&code=c") == {"c"}
    assert found(api, "done=true") == set()
    assert found(api, "done=false") == {"a", "b", "c"}
    assert found(api, f"contact={there.contact_id}") == {"a"}
    assert found(api, f"contact=/api/contacts/{there.contact_id}") == {"a"}
    assert found(api, f"contact={theirs.contact_id}") == set()


@pytest.mark.parametrize(
    "query",
    [
        "createdAt[before]=soon",
        "createdAt[before]=",
        "createdAt[before]=2026-13-01",
        "createdAt[before]=2026-02-30",
        "createdAt[before]=2026-04-07T14:30:00",
        "createdAt[before]=2026-04-07T25:30:00Z",
        "createdAt[before]=9999-12-31T23:59:59-14:00",
        "createdAt[before]=9999-12-31",
        "createdAt[before]=2026-04-07&createdAt[before]=2026-04-08",
        "createdAt[around]=2026-04-07",
        "createdAt=2026-04-07",
        "dob[after]=2026-04-07T14:30:00Z",
        "dob[after]=5",
        "number=x",
        "number=1.5",
        "number=9223372036854775808",
        "number=" + "9" * 400,
        "number[between]=5",
        "number[between]=5..",
        "number[between]=a..b",
        "number[near]=5",
        "done=maybe",
        "status=Lost",
        "status=Pending&status=Expired",
        "status[]=Pending",
        "contact=x",
        "contact=/api/tags/1",
        "contact=",
        "code=a%00b",
        "code%00=a",
        "code=",
    ],
)
def test_what_cannot_be_read_is_400_that_names_it(api, organisation, query):
    invite(organisation)
    problem = found(api, query, status=400)
    name = query.partition("=")[0].replace("%00", "\0")
    assert problem["violations"][0]["propertyPath"] == name
    assert name in problem["detail"]


def test_a_reference_too_large_for_any_row_finds_nothing(api, organisation):
    invite(organisation)
    assert found(api, f"contact={'9' * 19}") == set()
