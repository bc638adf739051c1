"""Whatever is written, an identifier is of one contact, and a merge can be undone."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import services
from contacts.models import Contact
from crm.errors import Conflict
from tests.factories import OrganisationFactory

EMAILS = [None, "a@example.com", "B@example.com", "b@EXAMPLE.com", "x@guest.booking.com", "n/a"]
PHONES = [None, "07700900001", "+44 7700 900001", "07700900002", "0000000000"]
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "email_address": st.sampled_from(EMAILS),
        "phone_number": st.sampled_from(PHONES),
        "phone_number_country_code": st.sampled_from([None, "44", "33"]),
        "first_name": st.sampled_from(["", "Ann", "Bob"]),
        "last_name": st.sampled_from(["Doe", None]),
        "name": st.sampled_from([None, "Own Name"]),
        "dob": st.sampled_from([None, "1990-02-28"]),
        "tags": st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "addresses": st.lists(
            st.fixed_dictionaries({"line1": st.sampled_from(["1", "2"])}), max_size=2
        ),
    },
)
CONTACT = st.integers(0, 5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("upsert"), VALUES),
        st.tuples(st.just("batch"), st.lists(VALUES, max_size=3)),
        st.tuples(st.just("update"), CONTACT, VALUES),
        st.tuples(st.just("merge"), CONTACT, CONTACT),
        st.tuples(st.just("unmerge"), CONTACT, CONTACT),
        st.tuples(st.just("delete"), CONTACT),
        st.tuples(st.just("redact"), CONTACT),
    ),
    max_size=12,
)
REFUSED = (ValidationError, Conflict)


def take(organisation: Any, step: tuple[Any, ...]) -> None:
    everyone = list(Contact.objects.for_organisation(organisation).order_by("pk"))
    match step:
        case ("upsert", values):
            services.upsert(organisation=organisation, values=values)
        case ("batch", rows):
            services.upsert_batch(organisation=organisation, rows=rows)
        case ("merge" | "unmerge" as name, one, other):
            if len(everyone) > max(one, other):
                write = services.merge if name == "merge" else services.unmerge
                write(survivor=everyone[one], absorbed=everyone[other])
        case (name, one, *values):
            if len(everyone) > one:
                write = getattr(services, name)
                write(contact=everyone[one], **({"values": values[0]} if values else {}))


def snapshot(organisation: Any) -> dict[int, Any]:
    contacts = Contact.objects.for_organisation(organisation).with_everything()
    return {
        contact.pk: {
            **{
                field.attname: getattr(contact, field.attname)
                for field in Contact._meta.fields
                if field.name != "updated_at"
            },
            "tags": sorted(tag.name for tag in contact.tags.all()),
            "addresses": sorted(address.line1 for address in contact.addresses.all()),
        }
        for contact in contacts
    }


def check(organisation: Any) -> None:
    contacts = Contact.objects.for_organisation(organisation)
    rows = list(contacts)
    for key in ("email_key", "phone_number_e164"):
        held = Counter(getattr(row, key) for row in rows if getattr(row, key))
        assert all(times == 1 for times in held.values())
    for row in rows:
        assert row.email_key == (
            None
            if row.email_address is None or "booking" in row.email_address
            else row.email_address.lower()
        )
        assert (row.phone_number is None) == (row.phone_number_e164 is None)
        if row.merged_into_id is None and row.redacted_at is None:
            assert row.email_address or row.phone_number
        survivor = contacts.resolve(row.pk)
        assert survivor.merged_into_id is None
        if row.email_key:
            found, created = services.upsert(
                organisation=organisation, values={"email_address": row.email_key.upper()}
            )
            assert (found.pk, created) == (survivor.pk, False)


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_there_is_one_contact_for_an_identifier_after_any_sequence(
    steps: list[tuple[Any, ...]],
) -> None:
    organisation = OrganisationFactory()
    for step in steps:
        with contextlib.suppress(*REFUSED):
            take(organisation, step)

    check(organisation)


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, one=CONTACT, other=CONTACT)
def test_a_merge_that_is_undone_leaves_what_was(
    steps: list[tuple[Any, ...]], one: int, other: int
) -> None:
    organisation = OrganisationFactory()
    for step in steps:
        with contextlib.suppress(*REFUSED):
            take(organisation, step)
    everyone = list(Contact.objects.for_organisation(organisation).order_by("pk"))
    before = snapshot(organisation)

    if len(everyone) > max(one, other):
        try:
            services.merge(survivor=everyone[one], absorbed=everyone[other])
        except REFUSED:
            pass
        else:
            services.unmerge(survivor=everyone[one], absorbed=everyone[other])

    assert snapshot(organisation) == before
