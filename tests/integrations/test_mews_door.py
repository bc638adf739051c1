"""What Mews calls us with: events that name ids, and the life of the integration."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_httpserver import HTTPServer

from integrations import applying, services
from integrations.models import Connection
from tests.integrations import mews
from tests.integrations.conftest import work
from tests.integrations.mews import Mews, customer, message, reservation

pytestmark = pytest.mark.django_db

OTHER = "8865aa96-f62d-4f9b-a912-ab2100f60f42"
NEW_TOKEN = "9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"


def created(**values: Any) -> dict[str, Any]:
    return {
        "Action": "IntegrationCreated",
        "Data": {
            "Enterprise": {"Id": mews.ENTERPRISE, "Name": "Sample Hotel"},
            "Service": {"Id": "9745ce3a-8dbb-4cc0-a550-55f9ff67b242", "Name": "Accommodation"},
            "Requestor": None,
            "AccessToken": NEW_TOKEN,
            "CreatedUtc": "2019-12-13T14:42:52Z",
            "IsEnabled": True,
            "Integration": {"Id": mews.INTEGRATION, "Name": "Regulars"},
            **values,
        },
    }


def lifecycle(action: str, **values: Any) -> dict[str, Any]:
    integration = {"Id": mews.INTEGRATION, "Name": "Regulars"}
    return {"Action": action, "Data": {"Integration": integration, **values}}


def status(hotel: Mews) -> str:
    hotel.connection.refresh_from_db()
    return hotel.connection.status


# Events


def test_one_message_may_tell_of_everything(hotel: Mews) -> None:
    delivery = hotel.tell(
        ("ServiceOrderUpdated", mews.RESERVATION),
        ("CustomerAdded", mews.CUSTOMER),
        ("CustomerUpdated", mews.CUSTOMER),
        ("ResourceUpdated", OTHER),
        ("SomethingNew", OTHER),
    )

    assert (delivery.status, delivery.topic) == ("applied", "events")
    assert [note.split()[2] for note in delivery.notes] == ["ResourceUpdated", "SomethingNew"]
    assert hotel.activities().get().contact == hotel.contacts().get()


@pytest.mark.parametrize(
    "events",
    [
        [],
        [{"Discriminator": "MessageAdded", "Value": {"Id": OTHER}}],
        [{"Discriminator": "ServiceOrderUpdated", "Value": {}}],
        [{"Discriminator": "ServiceOrderUpdated", "Value": None}],
        [{"Value": {"Id": OTHER}}, None, 7, "x"],
    ],
)
def test_what_says_nothing_to_us_asks_for_nothing(hotel: Mews, events: Any) -> None:
    delivery = hotel.send({**message(), "Events": events})

    assert delivery.status == "ignored"
    assert hotel.asked == []


def test_the_same_words_again_are_news_again(hotel: Mews) -> None:
    """Mews names ids only, so that a second change reads as the first."""
    hotel.is_now(reservation())
    hotel.is_now(reservation(Number="53", UpdatedUtc="2023-04-23T00:00:00Z"))

    assert hotel.deliveries().count() == 2
    assert hotel.activities().get().booking.customer_reference == "53"


def test_a_stored_delivery_applied_again_changes_nothing(hotel: Mews) -> None:
    hotel.is_now(reservation())
    services.replay(deliveries=hotel.deliveries())
    work()

    assert hotel.deliveries().get().status == "applied"
    assert hotel.activities().count() == 1


@pytest.mark.parametrize(
    "raw",
    [b"[]", b"null", b"{}", b'"x"', b'{"Events": {}}', b'{"Events": null}', b"", b"{", b"\xff"],
)
def test_bodies_of_another_shape_fail_with_a_reason(hotel: Mews, raw: bytes) -> None:
    delivery = hotel.send(raw)

    assert (delivery.status, bool(delivery.error)) == ("failed", True)


@pytest.mark.parametrize(
    "body", [message(EnterpriseId=OTHER), created(Enterprise={"Id": OTHER, "Name": "Another"})]
)
def test_another_hotels_news_is_refused(hotel: Mews, body: Any) -> None:
    assert hotel.post(body).status_code == 401
    assert hotel.deliveries().get().status == "refused"
    assert not applying.work()


def test_the_enterprise_is_known_in_any_case(hotel: Mews) -> None:
    assert hotel.post(message(EnterpriseId=mews.ENTERPRISE.upper())).status_code == 200


# While Mews cannot be asked


def test_a_delivery_waits_while_mews_is_busy(hotel: Mews) -> None:
    hotel.faults = [mews.busy("90")]
    delivery = hotel.tell(("CustomerUpdated", mews.CUSTOMER))

    assert (delivery.status, hotel.contacts().count()) == ("waiting", 0)
    assert delivery.due_at is not None
    assert 80 < (delivery.due_at - delivery.received_at).total_seconds() < 100

    hotel.deliveries().update(due_at=delivery.received_at)
    work()
    assert hotel.contacts().get().last_name == "Smith"


def test_a_token_that_is_refused_is_told(hotel: Mews) -> None:
    former, hotel.access_token = hotel.access_token, "another"
    delivery = hotel.tell(("CustomerUpdated", mews.CUSTOMER))

    assert delivery.status == "failed"
    assert "401" in delivery.error
    assert former not in delivery.error


# The life of an integration


@pytest.fixture
def unconnected(hotel: Mews) -> Mews:
    """A hotel whose access token is still to come."""
    hotel.connection = services.change(
        connection=hotel.connection, credentials={"access_token": None}
    )
    hotel.access_token = NEW_TOKEN
    return hotel


def test_the_access_token_comes_with_the_integration(
    unconnected: Mews, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hotel = unconnected
    assert hotel.connection.poll_due_at is None, "there is nothing to ask with"

    delivery = hotel.send(created())

    assert (delivery.status, delivery.error, delivery.topic) == (
        "applied",
        "",
        "IntegrationCreated",
    )
    hotel.connection.refresh_from_db()
    assert hotel.connection.secrets["access_token"] == NEW_TOKEN
    assert hotel.connection.secrets["integration_id"] == mews.INTEGRATION
    assert hotel.connection.poll_due_at is not None
    assert NEW_TOKEN not in caplog.text
    hotel.is_now(reservation())
    assert hotel.activities().count() == 1


def test_the_access_token_is_stored_nowhere_in_clear(hotel: Mews) -> None:
    hotel.post(created())
    hotel.post(lifecycle("IntegrationApiKeyCreated", ApiKey=NEW_TOKEN))

    for delivery in hotel.deliveries():
        stored = json.dumps([delivery.body, delivery.headers, delivery.topic, delivery.notes])
        assert NEW_TOKEN not in stored
        assert "Sample Hotel" in stored or "ApiKeyCreated" in stored
    work()
    row = Connection.objects.across_organisations().filter(pk=hotel.connection.pk)
    assert NEW_TOKEN not in str(row.values_list("credentials", "options", "cursor").get())


def test_a_new_access_token_takes_the_formers_place(hotel: Mews) -> None:
    hotel.send(created(AccessToken="former"))
    hotel.send(lifecycle("IntegrationApiKeyCreated", ApiKey=NEW_TOKEN))
    hotel.connection.refresh_from_db()
    assert hotel.connection.secrets["access_token"] == NEW_TOKEN

    services.replay(deliveries=hotel.deliveries().filter(topic="IntegrationCreated"))
    work()
    hotel.connection.refresh_from_db()
    assert hotel.connection.secrets["access_token"] == NEW_TOKEN, "the former is older"


@pytest.mark.parametrize(
    "action", ["IntegrationDisabled", "IntegrationCanceled", "IntegrationDeleted"]
)
@pytest.mark.parametrize("again", ["IntegrationEnabled", "IntegrationReinstated"])
def test_an_integration_is_switched_off_and_on(hotel: Mews, action: str, again: str) -> None:
    for _ in range(2):
        hotel.send(lifecycle(action))
        assert (status(hotel), hotel.connection.poll_due_at) == ("disabled", None)
        assert "Mews" in hotel.connection.status_reason
        delivery = hotel.is_now(reservation())
        assert (delivery.status, hotel.asked) == ("ignored", [])

        hotel.send(lifecycle(again))
        assert (status(hotel), hotel.connection.status_reason) == ("active", "")
        assert hotel.connection.poll_due_at is not None

    hotel.is_now(reservation())
    assert hotel.activities().count() == 1


def test_being_switched_on_there_ends_no_pause(hotel: Mews) -> None:
    services.pause(connection=hotel.connection)
    hotel.post(lifecycle("IntegrationEnabled"))
    work()

    assert status(hotel) == "paused"


def test_an_integration_that_is_made_anew_goes_on(hotel: Mews) -> None:
    hotel.send(lifecycle("IntegrationDeleted", DeletedUtc="2023-01-01T00:00:00Z"))
    hotel.access_token = NEW_TOKEN
    hotel.send(created())

    assert status(hotel) == "active"
    hotel.customer_is_now(customer())
    assert hotel.contacts().count() == 1


def test_one_that_is_not_enabled_yet_switches_nothing_on(hotel: Mews) -> None:
    hotel.send(lifecycle("IntegrationDeleted"))
    hotel.send(created(IsEnabled=False))

    assert status(hotel) == "disabled"
    assert hotel.connection.secrets["access_token"] == NEW_TOKEN


def test_another_integration_of_the_same_address_is_refused(hotel: Mews) -> None:
    hotel.send(created())
    other = {"Action": "IntegrationDisabled", "Data": {"Integration": {"Id": OTHER}}}

    assert hotel.post(other).status_code == 401
    assert status(hotel) == "active"


@pytest.mark.parametrize("action", ["IntegrationRenamed", None, {}])
def test_unknown_actions_are_stored_and_change_nothing(hotel: Mews, action: Any) -> None:
    delivery = hotel.send({"Action": action, "Data": None})

    assert delivery.status == "ignored"


# Connecting


@pytest.mark.parametrize("given", ["", "no id", "851df8c8"])
def test_an_enterprise_has_an_id(hotel: Mews, httpserver: HTTPServer, given: str) -> None:
    credentials = {**mews.credentials(httpserver), "enterprise_id": given}

    with pytest.raises(ValidationError, match="enterprise_id"):
        services.connect(organisation=hotel.organisation, source="mews", credentials=credentials)
