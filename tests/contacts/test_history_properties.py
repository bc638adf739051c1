"""Whatever is written through services, the history leads back to the beginning without a gap."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import identity, services
from contacts.details import told
from contacts.history import reading
from contacts.history.reading import Change
from contacts.models import Contact
from customfields import services as custom_fields
from organisations.models import Organisation

pytestmark = pytest.mark.django_db

NAMES = st.sampled_from(["", "Jane", "Zoë", "Li Wei"])
TAGS = st.lists(st.sampled_from(["VIP", "vip", "Press", "Golf"]), max_size=3)
CUSTOM = st.fixed_dictionaries(
    {},
    optional={
        "diet": st.sampled_from([None, "Fish", "Nuts\nand more"]),
        "likes": st.sampled_from([None, "Spa", "Golf,Spa"]),
        "size": st.sampled_from([None, "1.50", 3]),
        "member": st.sampled_from([None, True, False]),
        "since": st.sampled_from([None, "2024-02-29"]),
    },
)
PHONE = st.sampled_from(
    [
        {"phone_number": None},
        {"phone_number": "07700 900123"},
        {"phone_number": "020 7946 0000", "phone_number_country_code": "44"},
        {"phone_number": "01 23 45 67 89", "phone_number_country_code": "33"},
        {"phone_number": "01 23 45 67 80", "phone_number_country_code": "33"},
        {"phone_number_country_code": "49"},
    ]
)


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    chosen = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "first_name": NAMES,
                "last_name": NAMES,
                "name": st.sampled_from(["", "The Boss"]),
                "kind": st.sampled_from(["person", "business"]),
                "dob": st.sampled_from([None, date(1990, 2, 1), date(2000, 12, 31)]),
                "timezone": st.sampled_from([None, "Europe/Paris"]),
                "email_address": st.sampled_from(["a@example.com", "A@example.com", "b@x.com"]),
                "addresses": st.lists(
                    st.sampled_from([{"city": "Leeds"}, {"line1": "1 High St", "country": "fr"}]),
                    max_size=2,
                ),
                "tags": TAGS,
                "customFields": CUSTOM,
            },
        )
    )
    return {**chosen, **(draw(PHONE) if draw(st.booleans()) else {})}


WRITES = st.one_of(
    st.tuples(st.just("update"), values()),
    st.tuples(st.just("batch"), values()),
    st.tuples(st.just("custom"), CUSTOM),
    st.tuples(st.just("tag"), st.sampled_from(["VIP", "Press", "Workflow's"])),
    st.tuples(st.just("untag"), st.sampled_from(["VIP", "Press", "Workflow's"])),
)


def write(contact: Contact, how: str, given: Any) -> None:
    if how == "update":
        services.update(contact=contact, values=given)
    elif how == "batch":
        contact.refresh_from_db()
        row = {**given, "email_address": contact.email_address}
        (result,) = services.upsert_batch(organisation=contact.organisation, rows=[row])
        # A phone that cannot be read with the calling code that it has got is refused.
        assert result.error is not None or result.id == contact.pk
    elif how == "custom":
        custom_fields.set_values(contact=contact, values=given)
    elif how == "tag":
        kind = "workflow" if given.startswith("W") else "manual"
        services.tag(contacts=contact, name=given, kind=kind)
    else:
        services.untag(contacts=contact, name=given)


def state(contact: Contact) -> Any:
    """All that the API tells of the contact that people write."""
    fresh = Contact.objects.for_organisation(contact.organisation_id).get(pk=contact.pk)
    json = told([fresh], "GBP")[0]
    for name in ("updatedAt", "tags"):
        json.pop(name)
    return {**json, "tags": {tag.key for tag in fresh.tags.all()}}


def assert_unbroken(changes: list[Change]) -> None:
    """From the oldest on, each value begins where the one before it ended."""
    at: dict[str, Any] = {}
    carried: set[str] = set()
    for change in reversed(changes):
        for name, (before, after) in change.changes.items():
            if name == "tags":
                off, on = ({identity.fold(tag) for tag in tags} for tags in (before, after))
                assert off <= carried
                assert not on & carried
                carried = carried - off | on
            else:
                assert at.get(name, before) == before
                at[name] = after


@pytest.fixture
def with_fields(organisation: Organisation) -> Organisation:
    """An organisation with a custom field of each way to be kept."""
    for label, kind in (
        ("Diet", "Textarea"),
        ("Likes", "Multi select"),
        ("Size", "Number"),
        ("Member", "Boolean"),
        ("Since", "Date"),
    ):
        options = ["Golf", "Spa"] if kind == "Multi select" else []
        custom_fields.define(organisation=organisation, label=label, type=kind, options=options)
    return organisation


@given(writes=st.lists(WRITES, min_size=1, max_size=6))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_putting_back_every_change_gives_the_first_state(
    with_fields: Organisation, writes: list[tuple[str, Any]]
) -> None:
    with transaction.atomic():
        _go_there_and_back(with_fields, writes)
        transaction.set_rollback(True)


def _go_there_and_back(organisation: Organisation, writes: list[tuple[str, Any]]) -> None:
    contact, _created = services.upsert(
        organisation=organisation, values={"email_address": "a@example.com"}
    )
    first = state(contact)
    for how, what in writes:
        try:
            write(contact, how, what)
        except ValidationError:
            continue

    made = reading.of(contact, limit=100)[0]
    assert_unbroken(made)
    for change in made[:-1]:
        services.put_back(contact=contact, change=change)
    assert state(contact) == first
    assert_unbroken(reading.of(contact, limit=100)[0])
