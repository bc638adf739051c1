"""Mews's customers: whom they make, change, link, and leave alone; and what they agreed to."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

import pytest

from contacts import consent, services
from contacts.models import Contact
from integrations.models import ExternalId
from tests.integrations import mews
from tests.integrations.mews import Mews, customer, reservation

pytestmark = pytest.mark.django_db

OTHER = "35d4b117-4e60-44a3-9580-c582117eff98"
THIRD = "45d4b117-4e60-44a3-9580-c582117eff98"


def known(hotel: Mews, **values: Any) -> Contact:
    """A contact that was here before."""
    return services.introduce(organisation=hotel.organisation, values=values)


def at(day: int) -> str:
    return f"2023-02-{day:02}T00:00:00Z"


def ids(hotel: Mews) -> dict[str, int]:
    links = ExternalId.objects.for_organisation(hotel.organisation)
    return dict(links.values_list("external_id", "contact"))


# What is written


def test_a_customer_is_a_contact(hotel: Mews) -> None:
    delivery = hotel.tell(("CustomerAdded", mews.CUSTOMER), ("CustomerUpdated", mews.CUSTOMER))

    assert (delivery.status, delivery.error, delivery.notes) == ("applied", "", [])
    contact = hotel.contacts().get()
    assert (contact.first_name, contact.last_name) == ("John", "Smith")
    assert (contact.email_address, contact.phone_number_e164) == (
        "j.smith@example.com",
        "+420601123456",
    )
    assert contact.dob == date(1983, 12, 31)
    address = contact.addresses.get()
    assert (address.line1, address.city) == ("Somerford Road Hello House/135", "Christchurch")
    assert (address.postcode, address.county, address.country) == ("BH23 3PY", "GB-ENG", "GB")
    link = contact.external_ids.get()
    assert (link.source, link.external_id) == (f"mews:{mews.ENTERPRISE}", mews.CUSTOMER)
    assert hotel.tags() == {"mews:Returning"}


def test_added_and_updated_is_fetched_once(hotel: Mews) -> None:
    hotel.count = 1
    hotel.tell(*[("CustomerAdded", mews.CUSTOMER), ("CustomerUpdated", mews.CUSTOMER)] * 3)

    asked = [body["CustomerIds"] for _path, body in hotel.asked]
    assert asked == [[mews.CUSTOMER]] * 2, "the page, and the end"


def test_a_last_name_is_enough(hotel: Mews) -> None:
    hotel.customer_is_now(
        {"Id": mews.CUSTOMER, "LastName": "Smith", "UpdatedUtc": at(1), "IsActive": True}
    )

    contact = hotel.contacts().get()
    assert (contact.last_name, contact.email_address) == ("Smith", None)


def test_what_is_not_told_is_left_alone_and_what_is_empty_by_policy(hotel: Mews) -> None:
    hotel.customer_is_now(customer())
    told = {"Id": mews.CUSTOMER, "UpdatedUtc": at(2), "FirstName": None}
    hotel.customer_is_now(told)
    assert hotel.contacts().get().first_name == "John"

    hotel.choose(empty="clear")
    hotel.customer_is_now({**told, "UpdatedUtc": at(3)})

    contact = hotel.contacts().get()
    assert (contact.first_name, contact.last_name) == ("", "Smith")
    assert hotel.tags() == {"mews:Returning"}


@pytest.mark.parametrize(
    "values",
    [
        {"FirstName": "x" * 500},
        {"Phone": "555-555-SHIP"},
        {"Phone": "12"},
        {"Email": "no address"},
        {"BirthDate": "soon"},
        {"Address": {"CountryCode": "ZZ", "PostalCode": "9" * 100}},
        {"Address": None},
        {"Address": []},
        {"Classifications": None},
        {"Classifications": [None, {}, "Returning", "Returning"]},
        {"Options": "SendMarketingEmails"},
        {"UpdatedUtc": None},
        {"MergeTargetId": mews.CUSTOMER},
    ],
)
def test_odd_values_hold_up_nothing(hotel: Mews, values: dict[str, Any]) -> None:
    delivery = hotel.customer_is_now(customer(**values), customer(Id=OTHER, Email=None, Phone=None))

    assert (delivery.status, delivery.error) == ("applied", "")
    assert ids(hotel).keys() == {mews.CUSTOMER, OTHER}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_states_in_any_order_end_the_same(hotel: Mews, order: tuple[int, ...]) -> None:
    states = (
        customer(FirstName="A", UpdatedUtc=at(1), Classifications=["Important", "Returning"]),
        customer(FirstName="B", UpdatedUtc=at(2), Classifications=[]),
        customer(FirstName="C", UpdatedUtc=at(3), Classifications=["VeryImportant"]),
    )
    for number in order:
        hotel.customer_is_now(states[number])

    assert hotel.contacts().get().first_name == "C"
    assert hotel.tags() == {"mews:VeryImportant"}


def test_tags_that_mews_did_not_put_on_stay(hotel: Mews) -> None:
    contact = known(hotel, email_address="j.smith@example.com")
    services.tag(contacts=contact, name="VIP")

    hotel.customer_is_now(customer())
    hotel.customer_is_now(customer(Classifications=[], UpdatedUtc=at(2)))

    assert hotel.tags() == {"VIP"}


# Who it is


def test_an_address_tells_who_it_is(hotel: Mews) -> None:
    contact = known(hotel, email_address="J.Smith@Example.com")

    hotel.customer_is_now(customer(Email=" j.smith@example.com "))

    assert ids(hotel) == {mews.CUSTOMER: contact.pk}


def test_a_phone_with_00_tells_who_it_is(hotel: Mews) -> None:
    contact = known(hotel, phone_number="+420601123456")

    hotel.customer_is_now(customer(Email=None))

    assert ids(hotel) == {mews.CUSTOMER: contact.pk}


def test_a_booking_sites_address_identifies_nobody(hotel: Mews) -> None:
    relay = "abc.123@ota.example.com"
    other = known(hotel, email_address=relay)

    hotel.customer_is_now(customer(Email=relay, HasOtaEmail=True, Phone=None))

    contact = hotel.contacts().exclude(pk=other.pk).get()
    assert contact.email_address is None
    assert contact.external_ids.get().email == relay
    assert not contact.permissions.exists(), "nobody who can be reached so agreed to anything"


def test_an_address_of_a_known_relay_identifies_nobody_either(hotel: Mews) -> None:
    hotel.customer_is_now(
        customer(Email="x@guest.booking.com", Phone=None),
        customer(Id=OTHER, Email="x@guest.booking.com", Phone=None),
    )

    assert hotel.contacts().count() == 2


def test_two_profiles_of_one_address_are_one_contact(hotel: Mews) -> None:
    hotel.customer_is_now(customer(), customer(Id=OTHER))

    assert ids(hotel) == dict.fromkeys((mews.CUSTOMER, OTHER), hotel.contacts().get().pk)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_two_profiles_of_one_address_the_newest_counts(
    hotel: Mews, order: tuple[int, ...]
) -> None:
    states = (
        customer(FirstName="A", UpdatedUtc=at(1)),
        customer(Id=OTHER, FirstName="B", UpdatedUtc=at(3), Classifications=["Important"]),
        customer(FirstName="C", UpdatedUtc=at(2)),
    )
    for number in order:
        hotel.customer_is_now(states[number])

    assert hotel.contacts().get().first_name == "B"
    assert hotel.tags() == {"mews:Important"}


def test_an_older_address_of_a_booking_site_does_not_come_over_a_newer_one(hotel: Mews) -> None:
    for day in (2, 1):
        address = f"{day}@ota.example.com"
        hotel.customer_is_now(
            customer(Email=address, HasOtaEmail=True, Phone=None, UpdatedUtc=at(day))
        )

    assert hotel.contacts().get().external_ids.get().email == "2@ota.example.com"


def test_a_paymaster_account_is_no_person(hotel: Mews) -> None:
    delivery = hotel.customer_is_now(customer(Classifications=["PaymasterAccount"]))

    assert delivery.status == "ignored"
    assert not hotel.contacts().exists()


# Merged and deleted there


def merged(into: str, **values: Any) -> dict[str, Any]:
    return customer(MergeTargetId=into, IsActive=False, ActivityState="Deleted", **values)


def test_of_a_merged_customer_both_ids_mean_one_contact(hotel: Mews) -> None:
    hotel.customer_is_now(customer())
    first = hotel.contacts().get()
    hotel.rows["Customers"] = [
        merged(OTHER, UpdatedUtc=at(2)),
        customer(Id=OTHER, Email="john@example.com", Phone=None, UpdatedUtc=at(2)),
    ]
    hotel.tell(("CustomerUpdated", mews.CUSTOMER))

    assert ids(hotel) == {mews.CUSTOMER: first.pk, OTHER: first.pk}
    assert hotel.contacts().get().email_address == "john@example.com"


def test_contacts_merged_there_are_told_to_staff(hotel: Mews) -> None:
    two = customer(Id=OTHER, Email="two@example.com", Phone=None)
    hotel.customer_is_now(customer(), two)
    kept = hotel.contacts().get(email_address="two@example.com")

    delivery = hotel.customer_is_now(merged(OTHER, UpdatedUtc=at(2)), two)
    hotel.is_now(reservation())

    assert ids(hotel) == {mews.CUSTOMER: kept.pk, OTHER: kept.pk}
    assert "merge them here too" in " ".join(delivery.notes)
    assert hotel.activities().get().contact == kept


def test_a_chain_of_merges_ends_at_the_last(hotel: Mews) -> None:
    hotel.rows["Customers"] = [
        merged(OTHER),
        merged(THIRD, Id=OTHER),
        customer(Id=THIRD, Email="third@example.com"),
    ]
    hotel.tell(("CustomerUpdated", mews.CUSTOMER))

    contact = hotel.contacts().get()
    assert contact.email_address == "third@example.com"
    assert ids(hotel) == dict.fromkeys((mews.CUSTOMER, OTHER, THIRD), contact.pk)


def test_merges_in_a_circle_end(hotel: Mews) -> None:
    hotel.rows["Customers"] = [merged(OTHER), merged(mews.CUSTOMER, Id=OTHER)]

    assert hotel.tell(("CustomerUpdated", mews.CUSTOMER)).error == ""


def test_who_was_merged_into_somebody_unseen_is_linked_all_the_same(hotel: Mews) -> None:
    hotel.customer_is_now(customer())
    hotel.customer_is_now(merged(OTHER, UpdatedUtc=at(2)))

    assert ids(hotel) == dict.fromkeys((mews.CUSTOMER, OTHER), hotel.contacts().get().pk)


def test_late_news_of_who_was_merged_is_not_the_others(hotel: Mews) -> None:
    told = {"Email": "two@example.com", "Phone": None, "FirstName": "Two", **NOT}
    two = customer(Id=OTHER, UpdatedUtc=at(2), **told)
    hotel.customer_is_now(customer(), two)
    hotel.customer_is_now(merged(OTHER, UpdatedUtc=at(3)), two)

    delivery = hotel.customer_is_now(
        customer(FirstName="Late", BirthDate="1990-01-01", UpdatedUtc=at(9), **AGREED), two
    )

    kept = hotel.contacts().get(email_address="two@example.com")
    assert (delivery.error, ids(hotel)) == ("", dict.fromkeys((mews.CUSTOMER, OTHER), kept.pk))
    assert (kept.first_name, kept.permissions.count()) == ("Two", 0)


def test_whoever_had_become_another_goes_with_that_one(hotel: Mews) -> None:
    """Two profiles of one address, of which one is merged into the other, and that into a third."""
    third = customer(Id=THIRD, Email="third@example.com", Phone=None)
    hotel.customer_is_now(customer(), customer(Id=OTHER), third)
    hotel.customer_is_now(merged(OTHER, UpdatedUtc=at(2)), customer(Id=OTHER))
    hotel.rows["Customers"] = [merged(OTHER), merged(THIRD, Id=OTHER, UpdatedUtc=at(3)), third]
    hotel.tell(("CustomerUpdated", OTHER))

    kept = hotel.contacts().get(email_address="third@example.com")
    assert ids(hotel) == dict.fromkeys((mews.CUSTOMER, OTHER, THIRD), kept.pk)


def test_merges_that_contradict_each_other_end(hotel: Mews) -> None:
    two = customer(Id=OTHER, Email="two@example.com", Phone=None)
    hotel.customer_is_now(customer(), two)
    hotel.customer_is_now(merged(OTHER, UpdatedUtc=at(2)), two)
    kept = hotel.contacts().get(email_address="two@example.com")

    delivery = hotel.customer_is_now(customer(), {**two, **merged(mews.CUSTOMER, Id=OTHER)})

    assert (delivery.status, delivery.error) == ("applied", "")
    assert ids(hotel) == dict.fromkeys((mews.CUSTOMER, OTHER), kept.pk)


def test_a_deleted_customer_is_unlinked_and_stays(hotel: Mews) -> None:
    hotel.is_now(reservation())
    gone = customer(IsActive=False, ActivityState="Deleted", UpdatedUtc=at(2))
    hotel.customer_is_now(gone)

    assert hotel.contacts().get().activities.count() == 1
    assert ids(hotel) == {}


def test_one_who_was_deleted_without_an_address_is_not_made_anew(hotel: Mews) -> None:
    nameless = {"Email": None, "Phone": None}
    hotel.customer_is_now(customer(**nameless))
    hotel.customer_is_now(customer(**nameless, IsActive=False, UpdatedUtc=at(2)))
    hotel.customer_is_now(customer(**nameless, UpdatedUtc=at(3)))

    assert hotel.contacts().count() == 1


def test_nothing_is_written_to_who_was_redacted(hotel: Mews) -> None:
    hotel.customer_is_now(customer())
    services.redact(contact=hotel.contacts().get())

    delivery = hotel.customer_is_now(customer(UpdatedUtc=at(2), Options=[]))

    assert delivery.error == ""
    assert hotel.contacts().get().first_name == ""


# What they agreed to


def permission(hotel: Mews) -> tuple[str, str] | None:
    found: tuple[str, str] | None = (
        hotel.contacts().get().permissions.values_list("status", "source").first()
    )
    return found


AGREED: dict[str, Any] = {"Options": ["Invoiceable", "SendMarketingEmails"]}
NOT: dict[str, Any] = {"Options": ["Invoiceable"]}


def test_an_option_is_an_opt_in(hotel: Mews) -> None:
    hotel.customer_is_now(customer(**AGREED))

    assert permission(hotel) == ("subscribed", "mews")


@pytest.mark.parametrize("options", [NOT, {"Options": []}, {"Options": None}])
def test_without_the_option_nothing_is_known(hotel: Mews, options: dict[str, Any]) -> None:
    hotel.customer_is_now(customer(**options))

    assert permission(hotel) is None


def test_an_option_that_is_gone_was_withdrawn(hotel: Mews) -> None:
    hotel.customer_is_now(customer(**AGREED))
    hotel.customer_is_now(customer(**NOT, UpdatedUtc=at(2)))
    assert permission(hotel) == ("unsubscribed", "mews")

    hotel.customer_is_now(customer(**AGREED, UpdatedUtc=at(3)))
    assert permission(hotel) == ("subscribed", "mews")


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_a_withdrawal_is_one_in_any_order(hotel: Mews, order: tuple[int, ...]) -> None:
    states = (customer(**AGREED), customer(**NOT, UpdatedUtc=at(2)))
    for number in (*order, *order):
        hotel.customer_is_now(states[number])

    assert permission(hotel) == ("unsubscribed", "mews")


def test_an_opt_in_that_goes_on_to_stand_does_not_undo_an_unsubscription(hotel: Mews) -> None:
    hotel.customer_is_now(customer(**AGREED))
    consent.set_permission(
        contact=hotel.contacts().get(), channel="email", status="unsubscribed", source="link"
    )

    hotel.customer_is_now(customer(**AGREED, FirstName="Jack", UpdatedUtc="2999-01-01T00:00:00Z"))

    assert hotel.contacts().get().first_name == "Jack"
    assert permission(hotel) == ("unsubscribed", "link")


def test_an_older_profile_does_not_undo_an_unsubscription(hotel: Mews) -> None:
    contact = known(hotel, email_address="j.smith@example.com")
    consent.set_permission(contact=contact, channel="email", status="unsubscribed", source="link")

    hotel.customer_is_now(customer(**AGREED, UpdatedUtc="2999-01-01T00:00:00Z"))

    assert permission(hotel) == ("unsubscribed", "link")
