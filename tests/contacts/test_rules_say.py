"""What rules mean: one example for each word of docs/rules.md, and what is refused."""

from __future__ import annotations

import contextlib
import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from activities.models import Activity, Booking
from contacts import identity, rules
from contacts.models import Contact
from contacts.rules import durations, moments
from contacts.rules.folding import letters
from organisations.models import Organisation
from tests.contacts import rule_world

UTC = datetime.UTC
NOW = datetime.datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def world(organisation: Organisation) -> rule_world.World:
    return rule_world.make_world(organisation)


def blank(**values: Any) -> dict[str, Any]:
    """A contact with nothing set, but for these."""
    given: dict[str, Any] = {
        "columns": {"phone_number_e164": None},
        "created_at": NOW,
        "rollup": {},
        "changed_at": NOW,
        "foreign": {},
        "addresses": [],
        "tags": set(),
        "permissions": {},
        "credit": [],
        "values": {},
        "activities": [],
    }
    columns = {**given["columns"], **values.pop("columns", {})}
    return {**given, **values, "columns": columns}


def holds(
    world: rule_world.World, rule: Any, values: dict[str, Any], now: datetime.datetime = NOW
) -> bool:
    """Whether it holds for such a contact: in memory and in the database, alone and in groups."""
    (contact,) = rule_world.write(world, [values])
    contacts = Contact.objects.for_organisation(world.organisation).filter(pk=contact.pk)
    answers = []
    for within in (rule, {"any": [rule]}, {"none": [rule]}):
        parsed = rules.parse(within, organisation=world.organisation)
        answers.append(parsed.holds(rules.Subject(contact, now=now)))
        assert parsed.narrow(contacts, now=now).exists() == answers[-1]
    assert answers == [answers[0], answers[0], not answers[0]]
    return answers[0]


def clause(field: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    told = {"field": field, "operator": operator, **more}
    return told if value is None else {**told, "value": value}


# What is unset.


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("eq", "Bath", False),
        ("contains", "Bath", False),
        ("starts_with", "Bath", False),
        ("in", ["Bath"], False),
        ("is_set", None, False),
        ("ne", "Bath", True),
        ("not_contains", "Bath", True),
        ("not_in", ["Bath"], True),
        ("is_not_set", None, True),
    ],
)
@pytest.mark.parametrize(
    "field", ["contact.addresses.city", "contact.firstName", "contact.customFields.text"]
)
def test_negations_hold_for_what_is_unset_and_nothing_else_does(
    world: rule_world.World, field: str, operator: str, value: Any, expected: bool
) -> None:
    assert holds(world, clause(field, operator, value), blank()) is expected


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("contact.dob", "before", "2030-01-01"),
        ("contact.dob", "within_last", "P90D"),
        ("contact.dob", "anniversary_within", "P1Y"),
        ("contact.lastInteractedAt", "within_last", "P100Y"),
        ("contact.recency", "lte", 5),
        ("contact.customFields.number", "gt", -(10**9)),
        ("contact.customFields.boolean", "eq", False),
    ],
)
def test_comparisons_do_not_hold_for_what_is_unset(
    world: rule_world.World, field: str, operator: str, value: Any
) -> None:
    assert not holds(world, clause(field, operator, value), blank())


def test_nobody_who_never_came_came_lately(world: rule_world.World) -> None:
    lately = clause("contact.lastInteractedAt", "not_within_last", "P90D")
    assert holds(world, lately, blank())
    ago = NOW - datetime.timedelta(days=91)
    assert holds(world, lately, blank(rollup={"last_interacted_at": ago}))
    ago = NOW - datetime.timedelta(days=89)
    assert not holds(world, lately, blank(rollup={"last_interacted_at": ago}))


# Text.


@pytest.mark.parametrize(
    ("kept", "asked"),
    [("Zürich", "ZURICH"), ("Żółć", "zołc"), ("ΣΊΣΥΦΟΣ", "σισυφος"), ("ЯНА", "яна")],
)
def test_case_and_accents_do_not_matter(world: rule_world.World, kept: str, asked: str) -> None:
    contact = blank(columns={"first_name": kept}, addresses=[{"city": kept}])
    for field in ("contact.firstName", "contact.addresses.city"):
        assert holds(world, clause(field, "eq", asked), contact)
        assert holds(world, clause(field, "contains", asked[1:3]), contact)


@given(st.text())
def test_letters_are_folded_one_for_one(text: str) -> None:
    folded = letters(text)
    assert letters(folded) == folded
    kept = [one for one in text if letters(one)]
    assert "".join(letters(one) for one in kept) == folded
    # What the folding of tags would call different is different here.
    assert identity.fold(folded) == identity.fold(text)


# Days.


@pytest.mark.parametrize(
    ("born", "today", "within", "expected"),
    [
        ("1990-06-15", "2026-06-15", "P0D", True),
        ("1990-06-16", "2026-06-15", "P0D", False),
        ("1990-06-22", "2026-06-15", "P7D", True),
        ("1990-06-23", "2026-06-15", "P7D", False),
        ("1990-06-14", "2026-06-15", "P7D", False),
        ("1990-01-02", "2026-12-30", "P7D", True),
        ("1990-12-29", "2026-12-30", "P7D", False),
        # 29 February is kept on the 28th where there is none.
        ("1992-02-29", "2026-02-28", "P0D", True),
        ("1992-02-29", "2026-03-01", "P0D", False),
        ("1992-02-29", "2028-02-28", "P0D", False),
        ("1992-02-29", "2028-02-29", "P0D", True),
        ("1992-02-29", "2026-02-20", "P8D", True),
        ("1992-02-29", "2026-02-20", "P7D", False),
        ("1990-03-31", "2026-02-28", "P1M", False),
        ("1990-03-28", "2026-02-28", "P1M", True),
        ("1990-06-14", "2026-06-15", "P1Y", True),
    ],
)
def test_anniversaries(
    world: rule_world.World, born: str, today: str, within: str, expected: bool
) -> None:
    now = datetime.datetime.fromisoformat(f"{today}T12:00:00+00:00")
    contact = blank(columns={"dob": datetime.date.fromisoformat(born)})
    assert holds(world, clause("contact.dob", "anniversary_within", within), contact, now) is (
        expected
    )


@given(
    st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
    st.integers(0, 364),
    st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
)
def test_the_ranges_of_days_are_the_days_counted_one_by_one(
    today: datetime.date, length: int, born: datetime.date
) -> None:
    last = today + datetime.timedelta(days=length)
    ranges = moments.month_days(today, last)
    found = any(start <= born.month * 100 + born.day <= end for start, end in ranges)
    days = [today + datetime.timedelta(days=n) for n in range(length + 1)]

    def celebrates(day: datetime.date) -> bool:
        if (born.month, born.day) == (2, 29):
            leap = (day.year % 4 == 0 and day.year % 100 != 0) or day.year % 400 == 0
            return (day.month, day.day) == ((2, 29) if leap else (2, 28))
        return (born.month, born.day) == (day.month, day.day)

    assert found == any(celebrates(day) for day in days)


def test_today_is_the_contacts_own(world: rule_world.World) -> None:
    now = datetime.datetime(2026, 6, 15, 11, 0, tzinfo=UTC)
    tomorrow = datetime.date(2026, 6, 16)
    rule = clause("contact.dob", "anniversary_within", "P0D")
    kiritimati = {"dob": tomorrow.replace(year=1990), "timezone": "Pacific/Kiritimati"}
    assert holds(world, rule, blank(columns=kiritimati), now)
    over = {**kiritimati, "dob": datetime.date(1990, 6, 15)}
    assert not holds(world, rule, blank(columns=over), now)
    london = {**kiritimati, "timezone": "Europe/London"}
    assert not holds(world, rule, blank(columns=london), now)
    assert not holds(world, rule, blank(columns={**london, "timezone": ""}), now)


def test_a_date_is_the_whole_day_where_the_organisation_is(world: rule_world.World) -> None:
    # Summer time: 15 June in London begins at 23:00 UTC of the 14th.
    first = datetime.datetime(2026, 6, 14, 23, 0, tzinfo=UTC)
    on_it = clause("contact.createdAt", "eq", "2026-06-15")
    assert holds(world, on_it, blank(created_at=first))
    assert not holds(world, on_it, blank(created_at=first - datetime.timedelta(microseconds=1)))
    until = clause("contact.createdAt", "before", "2026-06-14")
    assert not holds(world, until, blank(created_at=first))
    assert holds(world, until, blank(created_at=first - datetime.timedelta(microseconds=1)))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("P90D", "2026-03-02T13:00:00+00:00"),
        ("P1M", "2026-04-30T12:00:00+00:00"),
        ("P3M", "2026-02-28T13:00:00+00:00"),
        ("P1Y", "2025-05-31T12:00:00+00:00"),
        ("P2W", "2026-05-17T12:00:00+00:00"),
        ("PT36H", "2026-05-30T00:00:00+00:00"),
        ("P1DT1H", "2026-05-30T11:00:00+00:00"),
    ],
)
def test_durations_count_by_the_calendar(written: str, expected: str) -> None:
    from zoneinfo import ZoneInfo

    now = datetime.datetime(2026, 5, 31, 12, 0, tzinfo=UTC)
    before = durations.parse(written).before(now, ZoneInfo("Europe/London"))
    assert before.isoformat() == expected


@pytest.mark.parametrize("written", ["P", "PT", "90D", "P-1D", "P1.5D", "P1DT", 90, None, "P9999Y"])
def test_what_is_no_duration(written: Any) -> None:
    with pytest.raises(ValidationError):
        durations.parse(written)


# Activities.


def test_activities_are_counted_and_added_up(world: rule_world.World) -> None:
    def activity(days: int, **values: Any) -> dict[str, Any]:
        return {
            "type": "Purchase",
            "source": "Till",
            "happened_at": NOW - datetime.timedelta(days=days),
            "spend": 1000,
            "currency_code": "GBP",
            **values,
        }

    contact = blank(
        activities=[
            activity(1),
            activity(89, spend=2000),
            activity(91, spend=4000),
            activity(2, spend=7000, currency_code="EUR"),
            activity(3, type="Contact merged in", spend=0),
        ]
    )

    def asks(operator: str, value: int, **where: Any) -> bool:
        return holds(world, clause("activities", operator, value, where=where), contact)

    assert asks("count_gte", 3, within="P90D")
    assert not asks("count_gte", 4, within="P90D")
    assert asks("count_lte", 4)  # a merge is nothing that the contact did
    assert asks("count_gte", 1, type="Contact merged in")
    assert asks("count_gte", 2, type=["Purchase", "Refund"], within="P90D", source="till")
    assert asks("count_lte", 0, source="website")
    assert asks("sum_gte", 7000)
    assert not asks("sum_gte", 7001)  # euros are not added to pounds
    assert asks("sum_gte", 7000, currencyCode="EUR")
    assert asks("sum_lte", 3000, within="P90D")
    assert asks("count_gte", 1, spend={"gte": 4000})
    assert asks("count_lte", 1, spend={"gte": 4000})
    assert asks("count_gte", 1, spend={"gt": 4000}, currencyCode="EUR")
    assert holds(world, clause("activities", "sum_lte", 0), blank())
    assert not holds(world, clause("activities", "sum_lte", -1), blank())


def test_the_activity_that_started_it(world: rule_world.World) -> None:
    (contact,) = rule_world.write(world, [blank()])
    activity = Activity(
        organisation=world.organisation,
        contact=contact,
        type="Booking",
        source="Mews",
        spend=12000,
        currency_code="GBP",
        happened_at=NOW,
        booking=Booking(status="Confirmed", number_of_guests=3, check_in=NOW),
        data={
            "room": {"number": 12, "tags": ["Sea View", "Quiet"]},
            "late": False,
            "extras": [{"name": "Dog"}, {"name": "Crib", "price": 500}],
        },
    )

    def asks(field: str, operator: str, value: Any = None) -> bool:
        rule = rules.parse(
            clause(field, operator, value),
            organisation=world.organisation,
            about=("contact", "activity"),
        )
        subject = rules.Subject(contact, activity, now=NOW)
        everyone = Contact.objects.for_organisation(world.organisation)
        answer = rule.holds(subject)
        assert rule.narrow(everyone, now=NOW, activity=activity).exists() == answer
        return answer

    assert asks("activity.type", "eq", "booking")
    assert asks("activity.spend", "gt", 5000)
    assert asks("activity.happenedAt", "within_last", "PT1H")
    assert asks("activity.booking.status", "eq", "confirmed")
    assert asks("activity.booking.numberOfGuests", "between", [2, 4])
    assert asks("activity.booking.checkOut", "is_not_set")
    assert asks("activity.golfReservation.holes", "ne", 18)
    assert asks("activity.data.room.number", "gte", 12)
    assert not asks("activity.data.room.number", "eq", "12")
    assert asks("activity.data.room.tags", "eq", "sea view")
    assert asks("activity.data.room.tags", "contains", "view")
    assert asks("activity.data.extras.name", "in", ["crib", "x"])
    assert asks("activity.data.extras.price", "lt", 501)
    assert asks("activity.data.late", "eq", False)
    assert not asks("activity.data.late", "eq", 0)
    assert asks("activity.data.missing.path", "is_not_set")
    assert asks("activity.data.missing", "ne", "x")


# What is refused.


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        ([], "", "not_an_object"),
        ({}, "", "invalid_group"),
        ({"all": [], "any": []}, "", "invalid_group"),
        ({"all": [], "why": 1}, "why", "unknown_key"),
        ({"all": {}}, "all", "not_a_list"),
        ({"all": [1]}, "all.0", "not_an_object"),
        ({"all": [{"field": "contact.shoe", "operator": "eq"}]}, "all.0.field", "unknown_field"),
        (clause("contact.customFields.shoe", "eq", 1), "field", "unknown_field"),
        (clause("activity.type", "eq", "Booking"), "field", "unknown_field"),
        (clause("contact.spendByCurrency.XXY", "eq", 1), "field", "invalid_currency"),
        ({"field": 5}, "field", "invalid"),
        ({"any": [clause("contact.dob", "contains", "1")]}, "any.0.operator", "unknown_operator"),
        ({"field": "contact.dob"}, "operator", "required"),
        (clause("contact.totalSpend", "gte", "much"), "value", "invalid_number"),
        (clause("contact.totalSpend", "gte", 1.5), "value", "invalid_number"),
        (clause("contact.totalSpend", "gte", 2**63), "value", "out_of_range"),
        (clause("contact.totalSpend", "gte"), "value", "required"),
        (clause("contact.totalSpend", "between", [5, 1]), "value", "invalid_range"),
        (clause("contact.totalSpend", "in", []), "value", "not_a_list"),
        (clause("contact.kind", "eq", "robot"), "value", "invalid_choice"),
        (clause("contact.name", "eq", " "), "value", "required"),
        (clause("contact.name", "is_set", "x"), "value", "unexpected"),
        (clause("contact.name", "eq", "x\0"), "value", "null_character"),
        (clause("contact.dob", "within_last", "PT5H"), "value", "invalid_duration"),
        (clause("contact.dob", "anniversary_within", "P2Y"), "value", "too_long"),
        (clause("contact.createdAt", "after", "2026-01-01T10:00:00"), "value", "offset_missing"),
        (clause("contact.customFields.select", "eq", "Tin"), "value", "invalid_choice"),
        (clause("contact.customFields.email", "eq", "no"), "value", "invalid_email"),
        (clause("activities", "count_gte", -1), "value", "out_of_range"),
        (clause("activities", "eq", 1), "operator", "unknown_operator"),
        (
            clause("activities", "count_gte", 1, where={"type": "Spam"}),
            "where.type",
            "unknown_type",
        ),
        (clause("activities", "count_gte", 1, where={"x": 1}), "where.x", "unknown_key"),
        (clause("activities", "count_gte", 1, where={"within": "90"}), "where.within", None),
        (clause("contact.name", "eq", "x", where={}), "where", "unknown_key"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    world: rule_world.World, rule: Any, path: str, code: str | None
) -> None:
    with pytest.raises(ValidationError) as refused:
        rules.parse(rule, organisation=world.organisation)
    assert list(refused.value.error_dict) == [path]
    (error,) = refused.value.error_dict[path]
    assert code in {None, error.code}
    assert refused.value.messages[0].endswith((".", "?"))


def test_every_error_is_told_at_once(world: rule_world.World) -> None:
    rule = {
        "all": [
            clause("contact.shoe", "eq", 1),
            {"none": [clause("contact.dob", "gte", "soon"), clause("contact.name", "is", "x")]},
        ]
    }
    with pytest.raises(ValidationError) as refused:
        rules.parse(rule, organisation=world.organisation)
    assert sorted(refused.value.error_dict) == [
        "all.0.field",
        "all.1.none.0.value",
        "all.1.none.1.operator",
    ]


def test_rules_have_a_size(world: rule_world.World) -> None:
    one = clause("contact.name", "eq", "x")
    rules.parse({"all": [one] * 100}, organisation=world.organisation)
    deep: Any = one
    for _level in range(8):
        deep = {"any": [deep]}
    rules.parse(deep, organisation=world.organisation)
    for data in ({"all": [one] * 101}, {"all": [one] * 100_000}, {"any": [deep]}):
        with pytest.raises(ValidationError):
            rules.parse(data, organisation=world.organisation)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["all", "any", "none", "field", "operator", "value", "where", "type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=json_values, name=st.sampled_from(["contact.name", "contact.dob", "activities"]))
def test_no_json_breaks_the_parser(value: Any, name: str) -> None:
    organisation = Organisation(pk=1, timezone="Europe/London", currency_code="GBP", country="GB")
    for data in (value, {"all": [{"field": name, "operator": "in", "value": value}]}):
        if "activities" in str(data) or "segments" in str(data):
            continue  # which look up what the organisation has
        # An unknown name looks for similar ones, which is all that asks the database here.
        with contextlib.suppress(ValidationError, RuntimeError):
            rules.parse(data, organisation=organisation)


# What rules say of themselves.


def test_what_a_rule_watches_and_whether_it_moves(world: rule_world.World) -> None:
    rule = rules.parse(
        {
            "any": [
                clause("contact.customFields.date", "before", "2026-01-01"),
                clause("activities", "count_gte", 1),
            ]
        },
        organisation=world.organisation,
    )
    assert rule.watches == {"contact.customFields.date", "activities"}
    assert not rule.moves_with_time
    for moving in (
        clause("contact.dob", "anniversary_within", "P7D"),
        clause("contact.createdAt", "not_within_last", "P7D"),
        clause("activities", "count_gte", 1, where={"within": "P7D"}),
    ):
        assert rules.parse(moving, organisation=world.organisation).moves_with_time


def test_the_findings_of_a_contact(world: rule_world.World) -> None:
    (contact,) = rule_world.write(
        world,
        [blank(values={"multi": ("Gold", "Bronze"), "number": Decimal("4.5")}, tags={0})],
    )
    rule = rules.parse(
        {
            "none": [
                clause("contact.customFields.multi", "contains", "Gold"),
                clause("contact.customFields.number", "gt", 5),
                clause("contact.tags", "contains", "vip"),
                clause("contact.dob", "is_set"),
                clause("activities", "count_gte", 1),
            ]
        },
        organisation=world.organisation,
    )
    found = rule.explain(rules.Subject(contact, now=NOW))
    assert [(one.path, one.found, one.holds) for one in found] == [
        ("none.0", ["Bronze", "Gold"], True),
        ("none.1", Decimal("4.5"), False),
        ("none.2", "VIP", True),
        ("none.3", None, False),
        ("none.4", 0, False),
    ]


def test_what_there_is_to_ask(world: rule_world.World, api: Any) -> None:
    told = api.get("/rule-fields").json()
    by_name = {one["field"]: one for one in told["fields"]}
    assert by_name["contact.totalSpend"]["type"] == "money"
    assert {"operator": "gte", "label": "is at least", "value": "money"} in (
        by_name["contact.totalSpend"]["operators"]
    )
    assert by_name["contact.customFields.select"]["choices"][0] == {
        "value": "Gold",
        "label": "Gold",
    }
    assert not any(name.startswith("activity.") for name in by_name)
    assert {"value": "Spa", "label": "Spa"} in told["activities"]["where"]["type"]
    with_activity = api.get("/rule-fields?about=activity").json()
    names = {one["field"] for one in with_activity["fields"]}
    assert {"activity.spend", "activity.booking.checkIn"} <= names
    assert with_activity["activityData"]["prefix"] == "activity.data."
    assert api.get("/rule-fields?about=x").status_code == 400


def test_many_contacts_are_asked_with_a_fixed_number_of_queries(
    world: rule_world.World, django_assert_num_queries: Any
) -> None:
    rule = rules.parse(
        {
            "any": [
                clause("contact.customFields.number", "gt", 5),
                clause("contact.customFields.text", "eq", "x"),
                clause("contact.tags", "contains", "vip"),
                clause("contact.totalSpend", "gt", 5),
                clause("contact.totalOrders", "gt", 5),
                clause("contact.addresses.city", "eq", "Bath"),
                clause("activities", "count_gte", 2),
                clause("activities", "sum_gte", 2, where={"within": "P90D"}),
            ]
        },
        organisation=world.organisation,
    )
    contacts = rule_world.write(world, [blank() for _number in range(20)])
    # Custom fields, tags, totals, addresses, activities.
    with django_assert_num_queries(5):
        subjects = rules.subjects(contacts, rule, now=NOW)
        assert not any(rule.holds(subject) for subject in subjects)
