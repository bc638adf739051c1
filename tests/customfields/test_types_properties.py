"""What holds for any value of any type."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from customfields import services
from customfields.definitions import Definitions
from customfields.models import CustomField, CustomFieldOption
from customfields.querysets import held_by
from customfields.types import TYPES, infer
from organisations.models import Organisation
from tests.customfields.factories import contact, define

OPTIONS = ["Golf", "Swimming", "Spa", "Ünïcode ☃", "a b"]
BRITAIN = Organisation(name="Hotel", country="GB")


def field(type: str, **rules: Any) -> CustomField:
    """A definition without a database."""
    made = CustomField(organisation=BRITAIN, name="it", label="It", type=type, **rules)
    made.choices = {
        value: CustomFieldOption(pk=number, value=value, label=value.upper())
        for number, value in enumerate(OPTIONS)
    }
    return made


texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=255)
decimals = st.decimals(
    min_value=-(10**15) + 1, max_value=10**15 - 1, places=10, allow_nan=False, allow_infinity=False
)
GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "Text": texts,
    "Number": st.one_of(decimals, st.integers(-(10**15) + 1, 10**15 - 1)),
    "Date": st.dates(),
    "Boolean": st.booleans(),
    "Email": st.emails().filter(lambda text: len(text) <= 254),
    "Phone": st.integers(7_400_000_000, 7_999_999_999).map(lambda number: f"0{number}"),
    "URL": st.from_regex(
        r"https?://[a-z]{1,20}\.(com|co\.uk)(/[A-Za-z0-9_.~%-]{0,50})?(\?q=[a-z ]?)?",
        fullmatch=True,
    ).map(str.strip),
    "Textarea": st.text(
        st.characters(exclude_categories=["C"], include_characters="\n\r\t"), max_size=2000
    ),
    "Select": st.sampled_from(OPTIONS),
    "Multi select": st.lists(st.sampled_from(OPTIONS), max_size=8),
}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text("0123456789+-.eE,_ /:@", max_size=30)
    | st.sampled_from(["true", "2026-02-30", "1e400", "NaN", "\ud800", "\0", "٤٢", "１２"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_every_type_has_a_strategy() -> None:
    assert GIVEN.keys() == TYPES.keys()


@pytest.mark.parametrize("type", TYPES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_text_and_the_typed_form_are_read_back_as_the_value(type: str, data: Any) -> None:
    made, kind = field(type), TYPES[type]
    try:
        value = kind.parse(data.draw(GIVEN[type]), made)
    except ValidationError:
        return
    if value is None:
        return
    assert kind.parse(kind.text(value), made) == value
    assert kind.parse(value, made) == value
    typed = json.loads(json.dumps(kind.typed(value)))
    # A float has 15 good digits; the text has them all.
    if not (isinstance(typed, float) and len(Decimal(value).as_tuple().digits) > 15):
        assert kind.parse(typed, made) == value
    assert isinstance(kind.display(value, {}), str)
    assert kind.cells(value, made)


@pytest.mark.parametrize("type", TYPES)
@settings(max_examples=300, deadline=None)
@given(given=anything)
@example(given=10**5000)
@example(given="9" * 5000)
@example(given="0." + "0" * 5000 + "1")
@example(given="1e-999")
@example(given=[[]])
@example(given="https://[::1")
@example(given="https://example.com:99999999")
def test_no_json_gives_anything_but_a_value_or_a_validation_error(type: str, given: Any) -> None:
    made, kind = field(type, pattern="" if not TYPES[type].has_pattern else ".*"), TYPES[type]
    try:
        value = kind.parse(given, made)
    except ValidationError as error:
        list(error.messages)  # each can be told
    else:
        assert value is None or kind.parse(kind.text(value), made) == value


@pytest.mark.parametrize("type", TYPES)
@settings(max_examples=100, deadline=None)
@given(
    text=st.text() | st.text("0123456789+-.,:/ ", max_size=30),
    operator=st.sampled_from(sorted({name for kind in TYPES.values() for name in kind.operators})),
)
def test_no_filter_gives_anything_but_a_condition_or_a_validation_error(
    type: str, text: str, operator: str
) -> None:
    from customfields.filters import condition

    made = field(type)
    made.pk = 1
    try:
        condition(made, operator, text)
    except ValidationError as error:
        list(error.messages)  # each can be told


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.django_db
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_text_and_typed_forms_store_the_same_and_come_back(
    organisation: Any, type: str, data: Any
) -> None:
    made = CustomField.objects.for_organisation(organisation).filter(name="it").first() or define(
        organisation, "It", type, options=OPTIONS if TYPES[type].has_options else ()
    )
    someone = contact(organisation)
    given = data.draw(GIVEN[type])
    try:
        value = Definitions.of(organisation).parse({"it": given})[made]
    except ValidationError:
        return
    services.set_values(contact=someone, values={"it": given})
    held = held_by(someone)
    assert [one.value for one in held] == ([] if value is None else [value])
    if value is not None:
        assert not services.set_values(contact=someone, values={"it": TYPES[type].text(value)})


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.text(max_size=20) | st.sampled_from(["1", "true", "2026-01-01", "no"])))
def test_an_inferred_type_takes_every_value_it_was_inferred_from(values: list[str]) -> None:
    made = field(infer(values))
    for value in values:
        if not value.isprintable():
            continue  # some of it no type takes
        made.kind.parse(value, made)


@pytest.mark.parametrize(
    ("values", "type"),
    [
        ([], "Text"),
        (["", " "], "Text"),
        (["1", "2.5", "", "-3"], "Number"),
        (["1", "0"], "Number"),
        (["007"], "Text"),
        (["0", "0.5"], "Number"),
        (["12345678901234567890"], "Text"),
        (["true", "False"], "Boolean"),
        (["yes", "no", ""], "Boolean"),
        (["yes", "maybe"], "Text"),
        (["2026-01-01", "2025-12-31"], "Date"),
        (["2026-01-01", "soon"], "Text"),
        (["a@example.com"], "Email"),
        (["+44 7700 900000"], "Phone"),
        (["07700 900000"], "Text"),
        (["https://example.com"], "URL"),
        (["https://example.com/" + "x" * 500], "URL"),
        (["one line", "two\nlines"], "Textarea"),
        (["x" * 256], "Textarea"),
    ],
)
def test_types_are_inferred_from_a_column_of_texts(values: list[str], type: str) -> None:
    assert infer(iter(values)) == type


def test_a_date_may_be_given_as_python_has_it() -> None:
    made = field("Date")
    day = datetime.date(2026, 4, 7)
    assert made.kind.parse(day, made) == day
    with pytest.raises(ValidationError):
        made.kind.parse(datetime.datetime(2026, 4, 7, tzinfo=datetime.UTC), made)
