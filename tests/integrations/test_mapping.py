"""A mapped system: what its values mean is said by a mapping, read, tried out and applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.models import Activity
from activities.services import types
from contacts import consent
from contacts import services as contacts
from contacts.models import Contact
from customfields import services as customfields
from integrations import services
from integrations.models import Connection, Delivery, ExternalId, ObjectState
from integrations.sources.base import dump, parse
from integrations.wifi import paths, trees, trying
from integrations.wifi.meanings import Meanings
from organisations.models import Organisation
from tests.integrations.conftest import work
from workflows.models import Event

pytestmark = pytest.mark.django_db

CAME = {
    "guest": {"id": "g-1", "mail": "ann@example.com", "First Name": "Ann", "born": "1990-04-07"},
    "when": "2026-01-05T10:00:00Z",
    "sale": {"no": "s-1", "sum": "12.50", "iso": "JPY"},
    "news": True,
    "texts": "no",
    "likes": ["tea", "cake"],
    "seats": 4,
}
MAPPING = """\
guest = guest.id
email = guest.mail
first_name = guest["First Name"]
dob = guest.born
at = when
"""


@pytest.fixture
def portal(connect: Callable[..., Connection]) -> Connection:
    return connect("wifi", {"mapping": MAPPING}, account="Cafe")


def tell(portal: Connection, body: Any, more: str = "") -> Delivery:
    """Post it and let it be applied, with more lines of mapping."""
    if more:
        services.change(connection=portal, options={"mapping": MAPPING + more})
    raw = json.dumps(body)
    assert Client().post(portal.path, raw, content_type="application/json").status_code == 200
    work()
    found: Delivery = Delivery.objects.for_organisation(portal.organisation).latest("pk")
    return found


def contact(portal: Connection) -> Contact:
    found: Contact = Contact.objects.for_organisation(portal.organisation).get()
    return found


def activity(portal: Connection) -> Activity:
    found: Activity = Activity.objects.for_organisation(portal.organisation).get()
    return found


# What is told


def test_contact_and_activity_are_what_the_mapping_says(
    organisation: Organisation, portal: Connection
) -> None:
    customfields.define(organisation=organisation, label="Likes", type="Multi select", options=[
        {"value": "tea"}, {"value": "cake"},
    ])  # fmt: skip
    customfields.define(organisation=organisation, label="Seats", type="Number")
    customfields.define(organisation=organisation, label="Seat text", type="Text")

    delivery = tell(
        portal,
        CAME,
        'type = "Purchase"\nsession = sale.no\namount = sale.sum\ncurrency = sale.iso\n'
        "custom.likes = likes\ncustom.seats = seats\ncustom.seat_text = seats\n"
        "consent.email = news\nconsent.sms = texts\ndata.table = seats\n",
    )

    assert (delivery.status, delivery.error) == ("applied", "")
    ann = contact(portal)
    assert (ann.first_name, ann.dob) == ("Ann", date(1990, 4, 7))
    assert ann.external_ids.get().external_id == "g-1"
    fields = {one.field.name: one for one in ann.custom_field_values.select_related("field")}
    assert (fields["seats"].value_number, fields["seat_text"].value_text) == (4, "4")
    assert ann.custom_field_values.filter(field__name="likes").count() == 2
    assert {(one.channel, one.status, one.source) for one in ann.permissions.all()} == {
        ("email", "subscribed", "wifi")
    }
    bought = activity(portal)
    assert (bought.type, bought.spend, bought.currency_code) == ("Purchase", 13, "JPY")
    assert bought.external_reference == "wifi:Cafe:s-1"
    assert bought.data == {"table": "4"}


def test_ids_of_another_system_of_the_same_kind_are_others(
    connect: Callable[..., Connection], portal: Connection
) -> None:
    more = 'type = "Purchase"\nsession = sale.no\n'
    tell(portal, CAME, more)
    other = connect("wifi", {"mapping": MAPPING + more}, account="Bar")
    tell(other, CAME)

    assert Activity.objects.for_organisation(portal.organisation).count() == 2


@pytest.mark.parametrize(
    ("line", "value", "said"),
    [
        ("dob = x", "7/4/90", "Date of birth: 7/4/90 is no date"),
        ("at = x", "noon", "When it happened: noon is no time"),
        ("amount = x", "a lot", "Amount spent: a lot is no amount"),
        ("currency = x", "Taler", "Currency: Taler is no currency"),
        ("consent.email = x", 7, "Consent to e-mail: 7 is neither yes nor no"),
        ("consent.email = x", "perhaps", "Consent to e-mail: perhaps is neither yes nor no"),
        ("custom.size = x", "huge", "size: There is no custom field of this name"),
        ("phone = x", "555-555-SHIP", "555-555-SHIP is no phone number"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_said(
    portal: Connection, line: str, value: Any, said: str
) -> None:
    body = {**CAME, "x": value}
    mapping = "\n".join(
        one for one in MAPPING.splitlines() if not one.startswith(line.partition(" ")[0])
    )
    services.change(connection=portal, options={"mapping": f"{mapping}\n{line}"})

    delivery = tell(portal, body)

    assert delivery.status == "applied"
    assert said in " ".join(delivery.notes)
    assert contact(portal).email_address == "ann@example.com"


def test_an_unknown_type_fails_until_it_is_made(
    organisation: Organisation, portal: Connection
) -> None:
    delivery = tell(portal, {**CAME, "kind": "Spa visit"}, "type = kind\n")
    assert delivery.status == "failed"
    assert "Spa visit" in delivery.error

    types.define_type(organisation=organisation, name="Spa visit")
    services.replay(deliveries=Delivery.objects.for_organisation(organisation))
    work()

    assert activity(portal).type == "Spa visit"


def test_a_custom_field_has_a_version_of_its_own(
    organisation: Organisation, portal: Connection
) -> None:
    for label in ("Size", "Colour"):
        customfields.define(organisation=organisation, label=label, type="Text")
    mapping = "custom.size = size\ncustom.colour = colour\n"
    tell(portal, {**CAME, "when": "2026-01-06T10:00:00Z", "size": "large"}, mapping)
    tell(portal, {**CAME, "size": "small", "colour": "red"})

    ann = contact(portal)
    told = ann.custom_field_values.values_list("field__name", "value_text")
    assert dict(told) == {"size": "large", "colour": "red"}


def test_a_guest_without_an_id_fills_only_what_is_empty(
    organisation: Organisation, connect: Callable[..., Connection]
) -> None:
    customfields.define(organisation=organisation, label="Size", type="Text")
    contacts.upsert(
        organisation=organisation,
        values={"email_address": "ann@example.com", "customFields": {"size": "large"}},
    )
    mapping = "email = mail\nfirst_name = first\ncustom.size = size\nconsent.email = news"
    portal = connect("wifi", {"mapping": mapping}, account="Cafe")

    tell(portal, {"mail": "ann@example.com", "first": "Ann", "size": "small", "news": "yes"})

    ann = contact(portal)
    assert ann.first_name == "Ann"
    assert ann.custom_field_values.get().value_text == "large"
    assert ann.permissions.get().status == "subscribed"


@pytest.mark.parametrize("with_id", [True, False])
def test_an_agreement_that_stands_there_does_not_undo_what_was_decided_here(
    portal: Connection, with_id: bool
) -> None:
    body: dict[str, Any] = {**CAME, "guest": dict(CAME["guest"])}  # type: ignore[call-overload]
    if not with_id:
        del body["guest"]["id"]
    tell(portal, body, "consent.email = news\n")
    consent.set_permission(contact=contact(portal), channel="email", status="unsubscribed")

    tell(portal, {**body, "when": "2026-11-20T10:00:00Z"})

    assert contact(portal).permissions.get().status == "unsubscribed"


def test_an_agreement_that_ends_there_ends_here(portal: Connection) -> None:
    tell(portal, CAME, "consent.email = news\n")
    tell(portal, {**CAME, "news": False, "when": "2026-01-06T10:00:00Z"})

    assert contact(portal).permissions.get().status == "unsubscribed"


@pytest.mark.parametrize(
    "line",
    [
        "mail = a",
        "email = a |",
        'type = "Purchase',
        r'type = "\q"',
        r'email = a["\q"]',
        "custom. = a",
    ],
)
def test_a_mapping_that_cannot_be_read_is_refused(portal: Connection, line: str) -> None:
    with pytest.raises(ValidationError, match="Line 1"):
        services.change(connection=portal, options={"mapping": line})


# The text


def test_a_path_is_put_first_and_taken_away_again() -> None:
    text = "# ours\nemail = user.email | email\n\nguest = user.id"

    with_path = paths.assign(text, "email", 'user["e-mail address"]')
    assert with_path == (
        '# ours\nemail = user["e-mail address"] | user.email | email\n\nguest = user.id'
    )
    assert paths.drop(with_path, "email", 'user["e-mail address"]') == text
    assert paths.drop(text, "guest", "user.id") == "# ours\nemail = user.email | email\n"
    assert paths.assign("", "custom.diet", "diet") == "custom.diet = diet"
    with pytest.raises(paths.WrongMapping, match="Line 1"):
        paths.assign(text, "email", "a b")


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(body=JSON)
@settings(deadline=None)
def test_any_value_can_be_pointed_at(body: Any) -> None:
    """The path of every value, spelt and read back within a mapping, finds it."""
    body = parse(dump(body))
    for taken, value in paths.leaves(body):
        if taken:
            path = paths.spell(taken)
            assert paths.steps(path) == taken
            assert paths.parse(f"email = {path} | {path}") == {"email": [path, path]}
            assert paths.find(body, path) == value


@pytest.mark.parametrize("text", ["Purchase", 'a "b" | c', "back\\slash", "ü\u2028ü"])
def test_a_constant_is_always_so(text: str) -> None:
    (candidate,) = paths.parse(f"type = {paths.constant(text)}")["type"]

    assert paths.find({}, candidate) == " ".join(text.split())


# The tree, and guessing


@pytest.mark.parametrize(
    ("name", "value", "likely"),
    [
        ("visitorEmail", "ann@example.com", "email"),
        ("visitorEmail", "not given", None),
        ("mail", "ann@example.com", "email"),
        ("first_name", "Ann", "first_name"),
        ("Last-Name", "Sample", "last_name"),
        ("mobile", "+447700900123", "phone"),
        ("email_opt_in", True, "consent.email"),
        ("user.id", 7, "guest"),
        ("dateOfBirth", "1990-04-07", "dob"),
        ("timestamp", 1767607200, "at"),
        ("Favourite colour", "red", "custom.favourite_colour"),
        ("nothing of ours", "x", None),
    ],
)
def test_what_a_value_is_likely_to_be(
    organisation: Organisation, name: str, value: Any, likely: str | None
) -> None:
    customfields.define(organisation=organisation, label="Favourite colour", type="Text")

    found = Meanings(organisation).guess(name, value)

    assert (found.name if found else None) == likely


def test_a_large_body_is_shown_in_part(organisation: Organisation) -> None:
    body = {
        "many": [{"n": number} for number in range(30)],
        "wide": {str(n): n for n in range(900)},
    }

    lines = trees.lines_of(body, {}, Meanings(organisation))

    assert [line.left_out for line in lines if line.left_out] == [20, 1]
    assert len(lines) == trees.MOST_LINES + 1


# Trying out


def test_trying_out_says_what_would_be_and_writes_nothing(portal: Connection) -> None:
    (outcome,) = trying.try_out(portal, CAME, MAPPING)

    assert (outcome.contact, outcome.known, outcome.error) == ("Ann", None, "")
    assert {(line.label, line.after) for line in outcome.lines} >= {("first name", "Ann")}
    assert outcome.fact is not None
    assert outcome.fact.type == "Connected to wifi"
    organisation = portal.organisation
    for model in (Contact, Activity, ExternalId, ObjectState, Event):
        assert not model.objects.for_organisation(organisation).exists()


def test_what_is_known_is_told_from_what_is_new(portal: Connection) -> None:
    tell(portal, CAME)
    newer = {**CAME, "guest": {**CAME["guest"], "First Name": "Anna"}}  # type: ignore[dict-item]

    (same,) = trying.try_out(portal, CAME, MAPPING)
    assert (same.known, same.lines, same.recorded) == (contact(portal).pk, [], True)

    (other,) = trying.try_out(portal, {**newer, "when": "2026-01-06T10:00:00Z"}, MAPPING)
    assert other.recorded is False
    assert [(line.before, line.after) for line in other.lines if line.label == "first name"] == [
        ("Ann", "Anna")
    ]
    assert contact(portal).first_name == "Ann"


def test_what_a_service_refuses_stands_beside_its_value(
    organisation: Organisation, portal: Connection
) -> None:
    customfields.define(organisation=organisation, label="Card", type="Text", unique=True)
    contacts.upsert(
        organisation=organisation,
        values={"email_address": "bob@example.com", "customFields": {"card": "c-1"}},
    )

    (outcome,) = trying.try_out(portal, {**CAME, "card": "c-1"}, MAPPING + "custom.card = card")

    assert set(outcome.problems) == {"custom.card"}
    assert "It would fail" in outcome.error


def test_of_several_things_the_first_few_are_tried(portal: Connection) -> None:
    outcomes = trying.try_out(portal, [CAME, {}, CAME, CAME, CAME], MAPPING)

    assert [bool(one.error) for one in outcomes] == [False, True, False]
    assert [one.recorded for one in outcomes] == [False, False, True]
