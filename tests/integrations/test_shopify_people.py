"""Whose Shopify's news is: whom it makes, changes, links and leaves alone."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from contacts import services
from contacts.models import Contact
from integrations.models import ExternalId
from tests.integrations import shopify
from tests.integrations.conftest import SHOP, Shop, work

pytestmark = pytest.mark.django_db


def known(shop: Shop, **values: Any) -> Contact:
    """A contact that was here before."""
    return services.introduce(organisation=shop.organisation, values=values)


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


# Who it is


def test_the_id_there_tells_before_the_address_does(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())
    other = known(shop, email_address="new@example.com")

    delivery = shop.tell(
        "customers/update",
        shopify.customer(email="new@example.com", updated_at="2022-02-01T00:00:00Z"),
    )

    assert shop.contacts().count() == 2
    assert ExternalId.objects.for_organisation(shop.organisation).get().contact_id != other.pk
    assert f"Contact {other.pk} has this e-mail address" in " ".join(delivery.notes)


@pytest.mark.parametrize("email", ["john@example.com", " JOHN@Example.com "])
def test_an_address_tells_who_it_is_whatever_its_case(shop: Shop, email: str) -> None:
    contact = known(shop, email_address="John@example.com")

    shop.tell("customers/create", shopify.customer(email=email))

    assert shop.contacts().get() == contact
    assert contact.external_ids.get().source == f"shopify:{SHOP}"


@pytest.mark.parametrize("phone", ["+420601123456", "00420601123456", "+420 601 123 456"])
def test_a_phone_tells_who_it_is_however_it_is_written(shop: Shop, phone: str) -> None:
    contact = known(shop, phone_number="+420601123456")

    shop.tell("customers/create", shopify.customer(email=None, phone=phone))

    assert shop.contacts().get() == contact


def test_the_address_tells_before_the_phone_does(shop: Shop) -> None:
    contact = known(shop, email_address="john@example.com")
    phone = known(shop, phone_number="+420601123456")

    delivery = shop.tell(
        "orders/paid", shopify.order(customer=shopify.customer(phone="+420601123456"))
    )

    assert shop.activities().get().contact_id == contact.pk
    assert f"Contact {phone.pk} has this phone number" in " ".join(delivery.notes)


@pytest.mark.parametrize("phone", ["555-555-SHIP", "12"])
def test_a_number_that_is_none_tells_nobody(shop: Shop, phone: str) -> None:
    for number in (1, 2):
        customer = shopify.customer(id=number, email=None, phone=phone)
        delivery = shop.tell("customers/create", customer)
        assert (delivery.status, len(delivery.notes)) == ("applied", 1)

    assert shop.contacts().filter(phone_number=None).count() == 2


def test_the_phone_of_an_address_is_not_the_customers(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())

    assert shop.contacts().get().phone_number is None


def test_two_ids_there_may_be_one_contact(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())
    shop.tell("customers/create", shopify.customer(id=2))

    ids = shop.contacts().get().external_ids.values_list("external_id", flat=True)
    assert set(ids) == {str(shopify.CUSTOMER), "2"}


@pytest.mark.parametrize("host", ["guest.booking.com", "privaterelay.appleid.com"])
def test_a_relays_address_tells_nobody(shop: Shop, host: str) -> None:
    address = f"abc@{host}"
    before = known(shop, email_address=address)

    shop.tell("orders/paid", shopify.order(customer=shopify.customer(email=address), email=address))
    guest = shop.tell("orders/paid", shopify.order(id=2, customer=None, email=address))

    contact = shop.activities().get().contact
    assert contact != before
    assert contact.email_address is None
    assert contact.external_ids.get().email == address
    assert "The address is a relay's and identifies nobody." in guest.notes


def test_two_customers_who_share_an_address_are_not_mixed(shop: Shop) -> None:
    """What two customers share, the first keeps."""
    shop.tell("customers/create", shopify.customer())
    shop.tell(
        "customers/create", shopify.customer(id=2, email="jane@example.com", first_name="Jane")
    )
    shop.tell(
        "customers/update",
        shopify.customer(id=2, first_name="Jane", updated_at="2023-01-01T00:00:00Z"),
    )

    named = shop.contacts().values_list("first_name", "email_address")
    assert set(named) == {("John", "john@example.com"), ("Jane", "jane@example.com")}


def test_ids_are_known_in_every_notation(shop: Shop) -> None:
    for id_ in (
        shopify.CUSTOMER,
        str(shopify.CUSTOMER),
        f"gid://shopify/Customer/{shopify.CUSTOMER}",
    ):
        shop.tell("customers/create", shopify.customer(id=id_, email=None))

    assert shop.contacts().count() == 1


# Missing keys


def test_without_protected_data_the_id_tells_who_it_is(shop: Shop) -> None:
    hidden = ("email", "phone", "first_name", "last_name", "default_address")
    customer = without(shopify.customer(), *hidden)
    order = without(shopify.order(customer=customer), "email", "contact_email", "phone")

    shop.tell("orders/paid", order)
    shop.tell("orders/paid", {**order, "id": 2})

    contact = shop.contacts().get()
    assert (contact.name, contact.email_address) == (f"Shopify {shopify.CUSTOMER}", None)
    assert contact.activities.count() == 2


def test_what_is_not_told_stays_and_what_is_empty_is_kept_or_cleared(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())
    later = {"updated_at": "2022-02-01T00:00:00Z"}

    shop.tell("customers/update", {**without(shopify.customer(), "last_name"), **later})
    assert shop.contacts().get().last_name == "Smith"

    shop.tell("customers/update", shopify.customer(last_name=None, **later))
    assert shop.contacts().get().last_name == "Smith"

    shop.connection.options = {**shop.connection.options, "empty": "clear"}
    shop.connection.save()
    shop.tell(
        "customers/update", {**without(shopify.customer(), "first_name"), **later, "last_name": ""}
    )
    contact = shop.contacts().get()
    assert (contact.first_name, contact.last_name) == ("John", "")


@pytest.mark.parametrize("customer", [None, {}])
def test_an_order_of_nobody_is_recorded_for_nobody(shop: Shop, customer: Any) -> None:
    delivery = shop.tell(
        "orders/paid",
        shopify.order(customer=customer, email=None, contact_email="", phone=None),
    )

    assert delivery.notes == ["Nobody to record it for: no customer is named."]
    assert not shop.contacts().exists()


def test_a_walk_in_that_is_named_later_gets_the_order(shop: Shop) -> None:
    nobody = {"customer": None, "email": None, "contact_email": None}
    shop.tell("orders/paid", shopify.order(**nobody))
    shop.tell("orders/updated", shopify.order(updated_at="2022-02-01T00:00:00Z"))

    assert shop.activities().get().contact.email_address == "john@example.com"


def test_an_order_that_names_nobody_any_more_stays_whose_it_was(shop: Shop) -> None:
    nobody = {"customer": None, "email": None, "contact_email": None}
    shop.tell("orders/paid", shopify.order())
    shop.tell("orders/updated", shopify.order(**nobody, updated_at="2022-02-01T00:00:00Z"))

    assert shop.activities().get().contact.email_address == "john@example.com"


def test_a_guest_is_known_by_the_orders_own_address(shop: Shop) -> None:
    shop.tell(
        "orders/paid",
        shopify.order(
            customer=None, billing_address={"first_name": "Steve", "last_name": "Shipper"}
        ),
    )

    contact = shop.contacts().get()
    assert (contact.email_address, contact.first_name) == ("jon@example.com", "Steve")
    assert not contact.external_ids.exists()


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_an_order_goes_to_whom_it_names_last(shop: Shop, order: tuple[int, ...]) -> None:
    states = (
        shopify.order(customer=None, email="typo@example.com"),
        shopify.order(customer=None, email="right@example.com", updated_at="2022-02-01T00:00:00Z"),
    )
    for number in order:
        shop.tell("orders/updated", states[number])

    assert shop.activities().get().contact.email_address == "right@example.com"


def test_what_staff_moved_stays_there(shop: Shop) -> None:
    from activities.services import correct

    shop.tell("orders/paid", shopify.order())
    partner = known(shop, email_address="partner@example.com")
    activity = shop.activities().get()
    correct(activity=activity, values={"contact": partner.pk})

    shop.tell("orders/updated", shopify.order(updated_at="2022-02-01T00:00:00Z"))

    assert shop.activities().get().contact == partner


@pytest.mark.parametrize(
    "values",
    [
        {"first_name": "x" * 300},
        {"email": f"{'x' * 300}@example.com"},
        {"default_address": {"country_code": "ZZ", "city": "c" * 500, "zip": "9" * 50}},
        {"default_address": {"country_code": "Germany"}},
        {"id": "9" * 300},
    ],
)
def test_what_does_not_fit_here_holds_up_no_order(shop: Shop, values: dict[str, Any]) -> None:
    for _ in range(2):
        delivery = shop.tell("orders/paid", shopify.order(customer=shopify.customer(**values)))

    assert (delivery.status, delivery.error) == ("applied", "")
    assert shop.activities().get().spend == 40495
    contact = shop.contacts().get()
    assert contact.first_name in ("John", "x" * 150)
    assert {one.country for one in contact.addresses.all()} <= {"CA", ""}


# Older news


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_news_of_a_customer_in_any_order_ends_the_same(shop: Shop, order: tuple[int, ...]) -> None:
    states = (
        shopify.customer(first_name="A", last_name="A", updated_at="2022-01-01T00:00:00Z"),
        without(shopify.customer(first_name="B", updated_at="2022-01-02T00:00:00Z"), "last_name"),
        shopify.customer(
            first_name="C", last_name="C", email="c@example.com", updated_at="2022-01-03T00:00:00Z"
        ),
    )
    for number in order:
        shop.tell("customers/update", states[number])

    contact = shop.contacts().get()
    assert (contact.first_name, contact.last_name, contact.email_address) == (
        "C",
        "C",
        "c@example.com",
    )


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_an_empty_value_that_is_not_written_hides_no_older_one(
    shop: Shop, order: tuple[int, ...]
) -> None:
    states = (
        shopify.customer(phone="+420601123456", updated_at="2022-01-01T00:00:00Z"),
        shopify.customer(phone=None, updated_at="2022-01-02T00:00:00Z"),
    )
    for number in order:
        shop.tell("customers/update", states[number])

    assert shop.contacts().get().phone_number_e164 == "+420601123456"


def test_an_order_whose_customer_has_no_time_fills_only_what_is_empty(shop: Shop) -> None:
    known(shop, email_address="john@example.com", first_name="Johnny")

    shop.tell("orders/paid", shopify.order(customer=shopify.customer(updated_at=None)))

    contact = shop.contacts().get()
    assert (contact.first_name, contact.last_name) == ("Johnny", "Smith")


# Merged and deleted there


def merge(**values: Any) -> dict[str, Any]:
    return {
        "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1",
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
        "admin_graphql_api_job_id": None,
        "status": "completed",
        "errors": [],
        **values,
    }


def test_customers_merged_there_mean_one_contact_and_staff_are_told(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer(id=1))
    shop.tell("customers/create", shopify.customer(id=2, email="two@example.com"))

    delivery = shop.tell("customers/merge", merge())
    shop.tell("orders/paid", shopify.order(customer={"id": 2}))

    kept = shop.contacts().get(email_address="john@example.com")
    assert shop.contacts().count() == 2, "contacts are merged by people"
    assert shop.activities().get().contact == kept
    assert "merge them here too" in " ".join(delivery.notes)


@pytest.mark.parametrize("known_id", [1, 2])
def test_of_merged_customers_one_may_be_unknown(shop: Shop, known_id: int) -> None:
    shop.tell("customers/create", shopify.customer(id=known_id))
    shop.tell("customers/merge", merge())

    ids = shop.contacts().get().external_ids.values_list("external_id", flat=True)
    assert set(ids) == {"1", "2"}


def test_a_merge_that_failed_there_changes_nothing(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer(id=1))

    delivery = shop.tell("customers/merge", merge(status="failed"))

    assert delivery.status == "ignored"
    assert shop.contacts().get().external_ids.count() == 1


def test_a_customer_deleted_there_is_unlinked_and_stays(shop: Shop) -> None:
    shop.tell("orders/paid", shopify.order())
    shop.tell("customers/delete", {"id": shopify.CUSTOMER, "tax_exemptions": []})
    late = shopify.customer(email="late@example.com", updated_at="2022-02-01T00:00:00Z")
    shop.tell("customers/update", {**late, "email": "john@example.com"})

    contact = shop.contacts().get()
    assert contact.activities.count() == 1
    assert not contact.external_ids.exists()


def test_late_news_of_a_deleted_customer_changes_nobody(shop: Shop) -> None:
    shop.tell("customers/update", shopify.customer(first_name="New"))
    deleted = shop.tell("customers/delete", {"id": shopify.CUSTOMER})
    late = shopify.customer(first_name="Old", updated_at="2021-01-01T00:00:00Z")
    shop.tell("customers/create", late)

    contact = shop.contacts().get()
    assert contact.first_name == "New"
    assert (deleted.status, deleted.traces.get().contact) == ("applied", contact)


def test_what_a_customer_agreed_to_before_it_was_merged_is_not_the_others(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer(id=1))
    shop.tell("customers/create", shopify.customer(id=2, email="two@example.com"))
    shop.tell("customers/merge", merge())

    told = {**consent("subscribed", "2023-01-01T00:00:00Z"), "customer_id": 2}
    shop.tell(EMAIL_CONSENT, told)
    shop.tell("customer.tags_added", {"customerId": 2, "tags": ["VIP"]})

    kept = shop.contacts().get(email_address="john@example.com")
    assert (kept.permissions.count(), kept.tags.count()) == (0, 0)


def test_contacts_merged_here_get_what_comes_for_either(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer(id=1))
    shop.tell("customers/create", shopify.customer(id=2, email="two@example.com"))
    one, two = shop.contacts().order_by("pk")
    services.merge(survivor=one, absorbed=two)

    shop.tell("orders/paid", shopify.order(customer={"id": 2, "email": "two@example.com"}))

    assert shop.activities().get(type="Shopify order").contact == one
    assert set(one.external_ids.values_list("external_id", flat=True)) == {"1", "2"}

    services.unmerge(survivor=one, absorbed=two)
    assert one.external_ids.get().external_id == "1"
    assert two.external_ids.get().external_id == "2"


# Consent


def permissions(shop: Shop) -> dict[str, tuple[str, str]]:
    return {
        one.channel: (one.status, one.source) for one in shop.contacts().get().permissions.all()
    }


def consent(state: Any, at: str | None = "2022-01-01T00:00:00Z") -> dict[str, Any]:
    return {
        "customer_id": shopify.CUSTOMER,
        "email_address": "john@example.com",
        "email_marketing_consent": {
            "state": state,
            "opt_in_level": "single_opt_in",
            "consent_updated_at": at,
        },
    }


EMAIL_CONSENT = "customers_email_marketing_consent/update"


@pytest.mark.parametrize(
    ("state", "status"), [("subscribed", "subscribed"), ("unsubscribed", "unsubscribed")]
)
def test_consent_is_noted(shop: Shop, state: str, status: str) -> None:
    shop.tell("customers/create", shopify.customer())

    shop.tell(EMAIL_CONSENT, consent(state))

    assert permissions(shop) == {"email": (status, "shopify")}


@pytest.mark.parametrize("state", ["pending", "invalid", None, "strange"])
def test_what_says_nothing_of_consent_changes_nothing(shop: Shop, state: Any) -> None:
    shop.tell("customers/create", shopify.customer())
    shop.tell(EMAIL_CONSENT, consent("subscribed"))

    delivery = shop.tell(EMAIL_CONSENT, consent(state, "2022-01-02T00:00:00Z"))

    assert delivery.status == "ignored"
    assert permissions(shop) == {"email": ("subscribed", "shopify")}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_consent_in_any_order_ends_the_same(shop: Shop, order: tuple[int, ...]) -> None:
    shop.tell("customers/create", shopify.customer())
    states = ("subscribed", "unsubscribed", "subscribed")
    for number in order:
        shop.tell(EMAIL_CONSENT, consent(states[number], f"2022-01-0{number + 1}T00:00:00Z"))

    assert permissions(shop) == {"email": ("subscribed", "shopify")}


def test_consent_to_texts_has_its_own_topic(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())
    shop.tell(
        "customers_marketing_consent/update",
        {
            "id": shopify.CUSTOMER,
            "phone": None,
            "sms_marketing_consent": {
                "state": "subscribed",
                "consent_updated_at": "2022-01-01T00:00:00Z",
            },
        },
    )

    assert permissions(shop) == {"sms": ("subscribed", "shopify")}


def test_consent_waits_for_its_customer(shop: Shop) -> None:
    body = {**consent("subscribed"), "email_address": None}
    waiting = shop.tell(EMAIL_CONSENT, body)
    assert waiting.status == "waiting"

    shop.post("customers/create", shopify.customer())
    work()

    assert permissions(shop) == {"email": ("subscribed", "shopify")}


# Tags


def test_tags_are_put_on_and_taken_off(shop: Shop) -> None:
    customer = f"gid://shopify/Customer/{shopify.CUSTOMER}"
    waiting = shop.tell(
        "customer.tags_added", {"customerId": customer, "tags": ["VIP", "Wholesale"]}
    )
    assert waiting.status == "waiting"

    shop.tell("customers/create", shopify.customer())
    contact = shop.contacts().get()
    assert set(contact.tags.values_list("name", flat=True)) == {"VIP", "Wholesale"}

    shop.tell("customer.tags_removed", {"customerId": customer, "tags": ["vip"]})
    assert set(contact.tags.values_list("name", flat=True)) == {"Wholesale"}
