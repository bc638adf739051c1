"""Merging with a choice of values, and taking it back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts import services
from contacts.models import Contact, Merge
from contacts.services.chosen import texts
from crm.errors import Conflict
from organisations.models import Organisation
from tests import factories
from tests.admin import rows
from tests.contacts.duplicates import person

pytestmark = pytest.mark.django_db

CHOICES = (
    "kind",
    "firstName",
    "lastName",
    "name",
    "emailAddress",
    "phoneNumber",
    "dob",
    "timezone",
    "customFields.diet",
    "customFields.card",
)


def two(organisation: Organisation) -> tuple[Contact, Contact]:
    """Two contacts that differ in everything."""
    for label, unique in (("Diet", False), ("Card", True)):
        rows.field(organisation, label=label, name=label.lower(), type="Text", unique=unique)
    return (
        person(
            organisation,
            "jane@a.com",
            first_name="Jane",
            last_name="Doe",
            phone_number="07700 900111",
            dob=date(1980, 5, 17),
            customFields={"diet": "Vegan", "card": "C1"},
        ),
        person(
            organisation,
            "janet@b.com",
            kind="business",
            first_name="Janet",
            last_name="Roe",
            name="Roe & Co",
            phone_number="+33 1 23 45 67 89",
            dob=date(1981, 6, 18),
            timezone="Europe/Paris",
            customFields={"diet": "Fish", "card": "C2"},
        ),
    )


def known(contact: Contact) -> dict[str, Any]:
    """What is stored of it now."""
    found = Contact.objects.for_organisation(contact.organisation_id).get(pk=contact.pk)
    return {**texts(found), "keys": (found.email_key, found.phone_number_e164)}


def test_the_survivor_takes_what_was_chosen(organisation: Organisation) -> None:
    first, second = two(organisation)
    theirs = ["firstName", "emailAddress", "phoneNumber", "customFields.diet", "customFields.card"]
    services.merge(survivor=first, absorbed=second, theirs=theirs)

    has = known(first)
    assert (has["firstName"], has["lastName"], has["name"]) == ("Janet", "Doe", "Janet Doe")
    assert has["keys"] == ("janet@b.com", "+33123456789")
    assert (has["customFields.diet"], has["customFields.card"]) == ("Fish", "C2")
    assert (has["dob"], has["kind"]) == ("1980-05-17", "person")


def test_what_was_given_up_goes_on_finding_the_survivor(organisation: Organisation) -> None:
    first, second = two(organisation)
    services.merge(survivor=first, absorbed=second, theirs=["emailAddress", "phoneNumber"])

    for values in (
        {"email_address": "jane@a.com"},
        {"phone_number": "07700900111"},
        {"email_address": "janet@b.com"},
    ):
        found, is_new = services.upsert(organisation=organisation, values=values)
        assert (found.pk, is_new) == (first.pk, False)
    assert known(first)["emailAddress"] == "janet@b.com"


@given(st.sets(st.sampled_from(CHOICES)), st.booleans())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_undone_both_are_as_they_were(db: None, theirs: set[str], swapped: bool) -> None:
    organisation = factories.OrganisationFactory()
    both = two(organisation)
    before = [known(one) for one in both]
    survivor, absorbed = both[::-1] if swapped else both

    services.merge(survivor=survivor, absorbed=absorbed, theirs=theirs)
    has, theirs_were = known(survivor), before[both.index(absorbed)]
    assert all(has[name] == theirs_were[name] for name in theirs)
    services.unmerge(survivor=survivor, absorbed=absorbed)

    assert [known(one) for one in both] == before


def test_what_was_changed_since_is_not_taken_back(organisation: Organisation) -> None:
    first, second = two(organisation)
    services.merge(survivor=first, absorbed=second, theirs=["firstName", "customFields.diet"])
    services.update(contact=first, values={"customFields": {"diet": "None"}})
    services.unmerge(survivor=first, absorbed=second)

    assert (known(first)["firstName"], known(first)["customFields.diet"]) == ("Jane", "None")


def test_an_identifier_that_somebody_took_meanwhile_stands_against_it(
    organisation: Organisation,
) -> None:
    first, second = two(organisation)
    services.merge(survivor=first, absorbed=second, theirs=["emailAddress"])
    absorbed = Contact.objects.for_organisation(organisation).get(pk=second.pk)
    assert absorbed.email_key == "jane@a.com"
    Contact.objects.for_organisation(organisation).filter(pk=second.pk).update(
        email_address=None, email_key=None
    )
    other = person(organisation, "jane@a.com")

    with pytest.raises(Conflict) as refused:
        services.unmerge(survivor=first, absorbed=second)
    assert refused.value.ids == [other.pk]


def test_what_a_rule_refuses_by_now_stays(organisation: Organisation) -> None:
    from customfields import services as custom_fields
    from customfields.models import CustomField

    first, second = two(organisation)
    services.merge(survivor=first, absorbed=second, theirs=["customFields.diet", "firstName"])
    diet = CustomField.objects.for_organisation(organisation).get(name="diet")
    custom_fields.archive(field=diet)
    services.unmerge(survivor=first, absorbed=second)

    assert known(first)["firstName"] == "Jane"


def test_redacting_forgets_what_was_chosen(organisation: Organisation) -> None:
    first, second = two(organisation)
    services.merge(survivor=first, absorbed=second, theirs=["firstName", "emailAddress"])
    assert Merge.objects.for_organisation(organisation).get().chosen
    services.redact(contact=first)
    assert Merge.objects.for_organisation(organisation).get().chosen == {}
    everybody = Contact.objects.for_organisation(organisation)
    assert not everybody.exclude(email_address=None).exists()
