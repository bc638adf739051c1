"""Templates: checked strictly when they are saved, rendered without failing when they are sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activities import services as activities
from activities.serializers import represent
from contacts import details
from customfields import services as custom_fields
from organisations.models import Organisation
from tests.workflows.moments import contact_of, moment_of
from workflows.messages import language, templates, values, variables
from workflows.messages.filters import MAX_ITEMS

pytestmark = pytest.mark.django_db

ABOUT = ("contact", "activity")


def mistakes(organisation: Organisation, source: Any, *, html: bool = False) -> list[str]:
    try:
        templates.check(source, about=ABOUT, organisation=organisation, html=html)
    except ValidationError as error:
        return list(error.messages)
    return []


@pytest.fixture
def fields(organisation: Organisation) -> None:
    for label, type_ in (("Diet", "Text"), ("Points", "Number"), ("Since", "Date")):
        custom_fields.define(organisation=organisation, label=label, type=type_)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "Hi\n{{ contact.fistName }}",
            "Line 2: there is no contact.fistName. Did you mean contact.firstName?",
        ),
        ("{{ contact.firstname }}", "Did you mean contact.firstName?"),
        ("{{ contcat.firstName }}", "there is no contcat. Did you mean contact?"),
        (
            "{{ contact.customFields.dite }}",
            "there is no contact.customFields.dite. Did you mean contact.customFields.diet?",
        ),
        ("{{ contact.firstName.length }}", "contact.firstName has no parts"),
        ("{% for tag in contact.tags %}{{ tag.nmae }}{% endfor %}", "Did you mean tag.name?"),
        ("{% if contact.vip %}{% endif %}", "there is no contact.vip"),
        ("{{ activity.booking.checkin }}", "Did you mean activity.booking.checkIn?"),
        ("{{ contact.tags }}", "contact.tags is a group of values"),
        ("{{ contact.firstName | upcsae }}", "there is no filter upcsae. Did you mean upcase?"),
        ("{{ contact.firstName | truncate: 1, 2, 3, 4 }}", "takes other values"),
        ("{{ contact.firstName | safe }}", "there is no filter safe"),
        ("a\nb\n{% if %}x{% endif %}", "Line 3:"),
        ("a\n{% if contact.dob %}\nb", "Line 3:"),
        ("{{ contact.firstName", "Line 1:"),
        ("{% include 'settings' %}", "unexpected tag 'include'"),
        ("{% render 'settings' %}", "unexpected tag 'render'"),
        ("{% if contact.totalOrders > 'a' %}x{% endif %}", "not supported"),
        ("{{ contact.totalOrders | divided_by: 0 }}", "Line 1:"),
        ("{% for i in (1..1000000000) reversed %}x{% endfor %}", "too much"),
        ("{{ (1..1000000000) | join }}", "too much"),
        ("{% for i in (1..99) %}{% for j in (1..99) %}x{% endfor %}{% endfor %}", "too much"),
        (
            "{% assign x = 'aaaa' %}{% for i in (1..500) %}{% assign x = x | append: x %}"
            "{% endfor %}",
            "too much",
        ),
        (
            "{% assign x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' %}"
            + "{% assign x = x | replace: 'a', x %}" * 9,
            "too much",
        ),
        ("x" * 100_001, "at most 100000 characters"),
        ("half \ud800", "not valid Unicode"),
        (7, "Give a text."),
    ],
)
def test_what_is_wrong_is_told_when_saving(
    organisation: Organisation, fields: None, source: Any, told: str
) -> None:
    found = mistakes(organisation, source)
    assert found
    assert told in found[0]


@pytest.mark.parametrize(
    "source",
    [
        "Hi {{ contact.firstName | default: 'you' }}, {{ contact.customFields.diet }}!",
        "{{ contact.totalSpend | money }} {{ activity.spend | money: activity.currencyCode }}",
        "{{ contact.tags | map: 'name' | join: ', ' }} {{ contact.tags[0].name }}",
        "{{ contact.tags.first.name }} {{ contact.tags.size }} {{ contact.addresses.last.city }}",
        "{% for tag in contact.tags %}{{ tag.name }}{{ forloop.index }}{% endfor %}",
        "{{ activity.data.basket[0].sku }} {{ activity.booking.checkIn | date: '%A %-d %B' }}",
        "{% assign name = contact.firstName | upcase %}{{ name }}",
        "{% capture greeting %}Hi{% endcapture %}{{ greeting }}",
        "{% if contact.customFields.points > 100 and contact.dob %}a{% else %}b{% endif %}",
        "{% case contact.kind %}{% when 'person' %}p{% else %}q{% endcase %}",
        "{{ contact[activity.type] }} {{ contact['firstName'] }} {{ unsubscribeUrl }}",
        "{{ now | date: '%Y' }} {{ today | date }} {{ run.workflowName }} {{ run.context.x.y }}",
        "{% raw %}{{ anything }}{% endraw %} {% comment %}{{ nothing }}{% endcomment %}",
        "",
    ],
)
def test_what_can_be_rendered_is_taken(
    organisation: Organisation, fields: None, source: str
) -> None:
    assert mistakes(organisation, source) == []
    assert mistakes(organisation, source, html=True) == []


def test_an_activity_is_not_known_where_none_starts_the_workflow(
    organisation: Organisation,
) -> None:
    with pytest.raises(ValidationError, match=r"there is no activity\."):
        templates.check("{{ activity.type }}", organisation=organisation, html=False)


def test_another_organisations_fields_are_not_known(
    other_organisation: Organisation, fields: None
) -> None:
    assert "there is no" in mistakes(other_organisation, "{{ contact.customFields.diet }}")[0]


def test_checking_costs_one_query(
    organisation: Organisation, fields: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):  # the custom fields
        mistakes(organisation, "{{ contact.firstName }}{{ contact.customFields.diet }}")


def test_every_key_of_the_api_is_a_variable(organisation: Organisation, fields: None) -> None:
    contact = contact_of(organisation)
    activity, _created = activities.record(
        organisation=organisation,
        contact=contact,
        type="Booking",
        source="pms",
        happened_at=datetime(2026, 4, 7, 14, 30, tzinfo=UTC),
        booking={"external_reference": "B-1", "check_in": datetime(2026, 5, 1, tzinfo=UTC)},
    )
    known: Any = variables.known(organisation, ABOUT)
    (told,) = details.told([contact], "GBP")
    assert set(known["contact"]) == set(told)
    told = represent(activity)
    assert set(known["activity"]) == set(told)
    assert set(known["activity"]["booking"]) == set(told["booking"])
    given: Any = moment_of(contact, {"type": "send_sms"}).template_values()
    assert set(given["run"]) == set(known["run"])
    assert {*given["organisation"], "locale"} == set(known["organisation"])


def rendered(source: str, given: dict[str, Any], *, html: bool = False) -> str:
    return templates.render(source, given, html=html)


def plain(organisation: Organisation, zone: str = "Europe/London", **given: Any) -> dict[str, Any]:
    return values.plain(
        given,
        organisation=organisation,
        locale="en_GB",
        now=datetime(2026, 7, 7, 22, 30, tzinfo=UTC),
        zone=zone,
    ) | ({"contact": {"timezone": zone}} if "contact" not in given else {})


def test_money_is_written_as_the_country_writes_it(organisation: Organisation) -> None:
    given = plain(organisation)
    assert rendered("{{ 4500 | money }}", given) == "£45.00"
    assert rendered("{{ -4500 | money: 'EUR' }}", given) == "-€45.00"
    assert rendered("{{ 4500 | money: 'JPY' }}", given) == "JP¥4,500"
    assert rendered("{{ 'x' | money }}{{ nothing | money }}{{ true | money }}", given) == ""
    given["organisation"]["locale"] = "fr_FR"
    assert rendered("{{ 4500 | money: 'EUR' }}", given) == "45,00\xa0€"


def test_dates_are_on_the_contacts_clock(organisation: Organisation) -> None:
    here, there = plain(organisation), plain(organisation, "Asia/Tokyo")
    source = "{{ '2026-07-07T22:30:00+00:00' | date: '%A %-d %B %Y, %H:%M' }}"
    assert rendered(source, here) == "Tuesday 7 July 2026, 23:30"
    assert rendered(source, there) == "Wednesday 8 July 2026, 07:30"
    assert rendered("{{ now | date: '%F %R' }}/{{ today }}", there) == "2026-07-08 07:30/2026-07-08"
    # A day is a day everywhere.
    assert rendered("{{ '2026-12-25' | date: 'long' }}", there) == "25 December 2026"
    assert rendered("{{ 'soon' | date }}{{ nil | date }}{{ 7 | date }}", here) == ""
    here["organisation"]["locale"] = "fr_FR"
    assert rendered(source, here) == "mardi 7 juillet 2026, 23:30"


def test_values_are_escaped_in_html_and_not_in_text(organisation: Organisation) -> None:
    given = {"contact": {"firstName": "<script>alert(1)</script>&"}}
    source = "<b>{{ contact.firstName }}</b>"
    assert "<script>" not in rendered(source, given, html=True)
    assert "&lt;script&gt;" in rendered(source, given, html=True)
    assert rendered(source, given) == "<b><script>alert(1)</script>&</b>"


def test_no_filter_lets_markup_of_a_value_through() -> None:
    evil = {
        "contact": {"firstName": "<script>x</script>", "lastName": "%3Cscript%3E&lt;script&gt;"}
    }
    for name in language.LANGUAGES[True].filters:
        for of in ("contact.firstName", "contact.lastName"):
            for tail in ("", ": 'a'", ": contact.firstName", ": 'x', contact.firstName"):
                said = rendered(f"{{{{ {of} | {name}{tail} }}}}", evil, html=True)
                assert "<script" not in said, (name, tail, said)
                said = rendered(f"{{{{ '<i>' | {name}{tail} }}}}", evil, html=True)
                assert "<script" not in said, (name, tail, said)


def test_a_statement_that_fails_is_empty_and_the_rest_stays() -> None:
    source = "a{{ x | divided_by: 0 }}b{% if x > 'y' %}c{% endif %}d{% for i in x limit: 'q' %}"
    source += "{% endfor %}e"
    assert rendered(source, {"x": 7}) == "abde"


def test_what_would_take_too_much_with_these_values_says_so() -> None:
    source = "{% for x in activity.data %}{% for y in activity.data %}.{% endfor %}{% endfor %}"
    few = {"activity": {"data": list(range(10))}}
    many = {"activity": {"data": list(range(MAX_ITEMS // 10))}}
    assert len(rendered(source, few)) == 100
    with pytest.raises(templates.TooMuch):
        rendered(source, many)


def test_what_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered("Hi {{ contact.firstName }}", {}) == "Hi "
    monkeypatch.setattr(language, "MAX_SECONDS", -1.0)
    with pytest.raises(templates.TooMuch, match="time"):
        rendered("Hi {{ contact.firstName }}", {})


# Any JSON that a source may send as `activity.data` or that a custom field may hold.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "size", "first"]), inner, max_size=3)
    ),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [
        "activity.data",
        "activity.data.a",
        "activity.data.a.b",
        "activity.data[0]",
        "activity.spend",
        "contact.firstName",
        "contact.totalSpend",
        "contact.tags",
        "contact.dob",
    ]
)
LITERALS = st.sampled_from(["'a'", "''", "0", "-1", "3.5", "nil", "true", "(1..3)", "'2026-01-01'"])
OPERANDS = PATHS | LITERALS


@st.composite
def expressions(draw: Any) -> str:
    text = draw(OPERANDS)
    for _index in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(sorted(language.LANGUAGES[False].filters)))
        arguments = draw(st.lists(OPERANDS, max_size=2))
        text += f" | {name}" + (": " + ", ".join(arguments) if arguments else "")
    return text


def blocks(inner: Any) -> Any:
    def compare(left: str, operator: str, right: str, body: str) -> str:
        return f"{{% if {left} {operator} {right} %}}{body}{{% else %}}{body}{{% endif %}}"

    def loop(over: str, limit: str, body: str) -> str:
        return f"{{% for x in {over} limit: {limit} %}}{body}{{{{ x }}}}{{% endfor %}}"

    operators = st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "contains", "and", "or"])
    return (
        st.builds(compare, OPERANDS, operators, OPERANDS, inner)
        | st.builds(loop, OPERANDS, OPERANDS, inner)
        | st.builds("{}{}".format, inner, inner)
        | st.builds("{{% assign y = {} %}}{{{{ y }}}}{}".format, expressions(), inner)
    )


SOURCES = st.recursive(
    st.builds("{{{{ {} }}}}".format, expressions()) | st.just("text {% break %}"),
    blocks,
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(source=SOURCES, data=JSON, name=st.none() | st.text(max_size=9), html=st.booleans())
@example(source="{{ activity.data | plus: '1e999999' }}", data="x", name=None, html=False)
@example(source="{{ activity.data | times: 3.5 | round }}", data=float("inf"), name="", html=True)
@example(
    source="{{ activity.data | date: '%' }}", data="9999-12-31T23:59:59-12:00", name="", html=True
)
@example(source="{{ activity.data | date }}", data="0001-01-01T00:00:00+14:00", name="", html=True)
def test_nothing_that_can_be_read_fails_to_render(
    source: str, data: Any, name: str | None, html: bool
) -> None:
    """Whatever the values are: also those of which a check with samples could not know."""
    given_ = {
        "contact": {"firstName": name, "totalSpend": 4500, "tags": [{"name": name}], "dob": None},
        "activity": {"data": data, "spend": None},
        "organisation": {"currencyCode": "GBP", "timezone": "Asia/Tokyo"},
    }
    said = templates.render(source, given_, html=html)
    assert isinstance(said, str)


@settings(max_examples=300, deadline=None)
@given(
    source=st.text(st.sampled_from("{}% |:'\".()ab1\nifndorec"), max_size=40), html=st.booleans()
)
def test_any_text_is_read_or_refused(source: str, html: bool) -> None:
    try:
        language.parse(source, html=html)
    except language.LiquidError:
        return
    assert isinstance(templates.render(source, {}, html=html), str)
