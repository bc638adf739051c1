"""What is exported and imported again is the same, whatever stands in it."""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from activities import services as activities
from activities.models import Activity
from activities.serializers import represent
from contacts import services
from contacts.details import told
from contacts.models import Contact
from crm.errors import Conflict
from customfields import services as custom_services
from organisations.models import Organisation
from tests.factories import OrganisationFactory
from tests.imports.running import counts, report, run

# Shrinking takes minutes where each example is an export and an import.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
FORMATS = ("csv", "jsonl", "xlsx")

pytestmark = pytest.mark.django_db

NASTY = [
    "=1+1",
    "+44",
    "-1",
    "@SUM(A1)",
    "'=1",
    "''@",
    "'",
    '"',
    'say "hi"',
    "a,b;c\td",
    "two\nlines",
    "two\r\nlines",
    "a lone\rreturn",
    r"\N",
    r"\\N",
    "[1]",
    '{"a": 1}',
    "true",
    "007",
    "1e5",
    "_x0041_",
    "_x000D_",
    "a\x01b",
    "a\x1fb",
    "a\x85b\u2028c",
    "é",
    "e\u0301",
    "日本語",
    "😀",
    "\ufeffx",
    "null",
    "#N/A",
]
a_text = st.one_of(
    st.sampled_from(NASTY),
    st.text(
        st.one_of(
            st.sampled_from("=+-@'\",;\t\r\n\\N[]{} "),
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        ),
        max_size=12,
    ),
)
OPTIONS = ["Spa", "=Pool", "[x]", r"\N", "a;b", "-"]
an_address = st.fixed_dictionaries(
    {"line1": a_text.filter(str.strip)},
    optional={
        "type": a_text,
        "line2": a_text,
        "city": a_text,
        "county": a_text,
        "postcode": st.sampled_from(["E8 1AA", "=1", "00501"]),
        "country": st.sampled_from(["GB", "FR"]),
    },
)
custom_values = st.fixed_dictionaries(
    {},
    optional={
        "line": a_text,
        "lines": a_text,
        "number": st.one_of(
            st.integers(-(10**14), 10**14),
            st.decimals(-(10**9), 10**9, places=10).map(str),
            st.sampled_from(["0", "0.1", "-0.5", "123456789012345.0123456789", "0.0000000001"]),
        ),
        "day": st.dates().map(str),
        "yes": st.booleans(),
        "mail": st.sampled_from(["a@x.com", "=a@x.com", "+b@x.com"]),
        "tel": st.sampled_from(["+44 7700 900000", "07700900001", "+33612345678"]),
        "web": st.sampled_from(["https://x.com/?a=1,2", "http://x.com/'"]),
        "one": st.sampled_from([*OPTIONS, "Golf, 18 holes"]),
        "some": st.lists(st.sampled_from(OPTIONS), max_size=4),
        "filled": st.one_of(st.none(), a_text),
    },
)
a_contact = st.fixed_dictionaries(
    {"customFields": custom_values},
    optional={
        "kind": st.sampled_from(["person", "business"]),
        "email_address": st.sampled_from(
            ["ann@x.com", "Bob@X.com", "=c@x.com", "+d@x.com", "-e@x.com", "q@guest.booking.com"]
        ),
        "phone_number": st.sampled_from(
            ["07700 900001", "+447700900002", "(07700) 900-003", "+33 6 12 34 56 78"]
        ),
        "phone_number_country_code": st.sampled_from(["44", "33", None]),
        "first_name": a_text,
        "last_name": a_text,
        "name": a_text,
        "dob": st.dates(datetime(1900, 1, 1).date(), datetime(2020, 1, 1).date()).map(str),  # noqa: DTZ001
        "timezone": st.sampled_from(["Europe/Paris", "Asia/Tokyo"]),
        "addresses": st.lists(an_address, max_size=3),
        "tags": st.lists(st.one_of(st.sampled_from(["VIP", "Golf, Spa", "[x", "a;b"]), a_text)),
    },
)


def define(organisation: Organisation) -> None:
    for name, type_, more in (
        ("line", "Text", {}),
        ("lines", "Textarea", {}),
        ("number", "Number", {}),
        ("day", "Date", {}),
        ("yes", "Boolean", {}),
        ("mail", "Email", {}),
        ("tel", "Phone", {}),
        ("web", "URL", {}),
        ("one", "Select", {"options": [*OPTIONS, "Golf, 18 holes"]}),
        ("some", "Multi select", {"options": OPTIONS}),
        ("filled", "Text", {"default": "by default"}),
    ):
        custom_services.define(
            organisation=organisation, name=name, label=name.title(), type=type_, **more
        )


def make(organisation: Organisation, people: list[dict[str, Any]]) -> None:
    """The people, without what the API would not take of them."""
    for number, person in enumerate(people):
        values = {"email_address": f"n{number}@x.com", **person}
        values["customFields"] = dict(person.get("customFields", {}))
        for _attempt in range(2):
            try:
                with transaction.atomic():
                    services.upsert(organisation=organisation, values=values)
                break
            except ValidationError as refused:
                for path in refused.error_dict:
                    values.pop(re.split(r"[.\[]", path)[0], None)
                    values["customFields"].pop(path.removeprefix("custom_fields."), None)
            except Conflict:
                break


def everybody(organisation: Organisation) -> list[dict[str, Any]]:
    """All contacts as the API tells them, without what is each row's own."""
    rows = Contact.objects.for_organisation(organisation).select_related("rollup").order_by("pk")
    own = {"id", "organisation", "createdAt", "updatedAt", "customFieldValues"}
    return [
        {name: value for name, value in one.items() if name not in own}
        | {"tags": [tag["name"] for tag in one["tags"]]}
        | {"texts": [value["value"] for value in one["customFieldValues"]]}  # numbers whole
        for one in told(list(rows), organisation.currency_code)
    ]


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(people=st.lists(a_contact, min_size=2, max_size=6))
@example(
    people=[
        {
            "email_address": f"n{number}@x.com",
            "first_name": text,
            "last_name": text,
            "addresses": [{"line1": "x", "city": text}],
            "customFields": {"lines": text},
        }
        for number, text in enumerate(NASTY)
        if not set(text) & set("\x01\x1f")
    ]
)
@example(
    people=[
        {"email_address": f"n{number}@x.com", "name": text, "tags": ["VIP", text]}
        for number, text in enumerate(NASTY)
    ]
)
def test_contacts_come_back_whole(format: str, people: list[dict[str, Any]]) -> None:
    exported, imported = OrganisationFactory(), OrganisationFactory()
    define(exported)
    define(imported)
    make(exported, people)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"people.{format}"
        code, _out, err = run(
            "export_contacts", path, "--organisation", exported.pk, "--without-ids"
        )
        assert code == 0, err
        result = report("import_contacts", path, imported)
        again = Path(folder) / f"again.{format}"
        run("export_contacts", again, "--organisation", exported.pk)
        unchanged = report("import_contacts", again, exported)
    assert everybody(imported) == everybody(exported)
    number = len(everybody(exported))
    assert counts(result) == (number, 0, 0, 0)
    # And into the organisation that it comes from, by the ids: nothing changes.
    assert counts(unchanged) == (0, 0, number, 0)


moments = st.datetimes(datetime(2001, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
a_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), a_text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(a_text, inner)),
    max_leaves=4,
)
references = st.one_of(st.none(), a_text)
a_booking = st.fixed_dictionaries(
    {
        "external_reference": st.one_of(st.sampled_from(["B-1", "=B2"]), a_text),
        "status": st.sampled_from(["Confirmed", "=1"]),  # one without anything leaves no cell
    },
    optional={
        "check_in": moments,
        "check_out": moments,
        "number_of_guests": st.integers(0, 9),
        "room_type": a_text,
        "total": st.integers(0, 10**9),
        "currency_code": st.sampled_from(["GBP", "JPY"]),
        "purpose": a_text,
        "origin": a_text,
    },
)
a_table = st.fixed_dictionaries(
    {
        "origin_reference": st.one_of(st.sampled_from(["T-1", "-T2"]), a_text),
        "party_size": st.integers(0, 9),
    },
    optional={
        "notes": a_text,
        "start_time": moments,
        "origin": a_text,
    },
)
an_activity = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Purchase", "Refund", "Login", "Booking", "Table reservation"]),
        "source": st.one_of(st.sampled_from(["till", "=till"]), a_text),
        "happened_at": moments,
    },
    optional={
        "spend": st.integers(-(10**12), 10**12),
        "currency_code": st.sampled_from(["GBP", "EUR", "KWD"]),
        "external_reference": references,
        "purchase": st.one_of(st.none(), a_text, st.integers(1, 10**6).map(str)),
        "gift_card": st.one_of(st.none(), a_text),
        "data": st.dictionaries(a_text, a_json, max_size=3),
        "booking": a_booking,
        "table_reservation": a_table,
        "golf_reservation": st.just({"origin_reference": "G-1", "holes": 18}),
    },
)


def record(organisation: Organisation, happenings: list[dict[str, Any]]) -> None:
    """The activities, without what the API would not take of them."""
    people = [
        services.upsert(organisation=organisation, values={"email_address": email})[0]
        for email in ("=ann@x.com", "bob@x.com")
    ]
    for number, values in enumerate(happenings):
        given = {**values, "contact": people[number % 2]}
        for _attempt in range(2):
            try:
                with transaction.atomic():
                    activities.record(organisation=organisation, **given)
                break
            except ValidationError as refused:
                for path in refused.error_dict:
                    given.pop(path.split(".")[0], None)
                given = {"source": "till", "happened_at": datetime(2020, 1, 1, tzinfo=UTC), **given}
            except Conflict:
                break


def everything(organisation: Organisation) -> list[dict[str, Any]]:
    """All activities as the API tells them, without what is each row's own. An import may write
    those of one moment in another order."""
    own = ("id", "contact", "createdAt", "updatedAt")
    rows = Activity.objects.for_organisation(organisation).with_reservations()
    found = []
    for row in rows.select_related("contact"):
        one = represent(row)
        for key in ("booking", "golfReservation", "tableReservation"):
            if one[key] is not None:
                one[key] = {name: value for name, value in one[key].items() if name not in own}
        one = {name: value for name, value in one.items() if name not in own}
        found.append(one | {"whose": row.contact.email_address})
    return sorted(found, key=repr)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(happenings=st.lists(an_activity, min_size=2, max_size=6))
@example(
    happenings=[
        {
            "type": "Purchase",
            "source": text,
            "happened_at": datetime(2020, 1, 1, 12, 30, 15, 123456, tzinfo=UTC),
            "spend": -500,
            "external_reference": text,
            "data": {text: text, "nested": {"a": [1, 2.5, None, True, text]}},
        }
        for text in NASTY
        if not set(text) & set("\x01\x1f")
    ]
)
def test_activities_come_back_whole(format: str, happenings: list[dict[str, Any]]) -> None:
    exported, imported = OrganisationFactory(), OrganisationFactory()
    record(exported, happenings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"happenings.{format}"
        code, _out, err = run(
            "export_activities", path, "--organisation", exported.pk, "--without-ids"
        )
        assert code == 0, err
        result = report("import_activities", path, imported)
    assert everything(imported) == everything(exported)
    assert counts(result) == (len(everything(exported)), 0, 0, 0)
