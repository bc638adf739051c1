"""The page on which values are given their meaning: its buttons without a script, and its doors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts.models import Contact
from integrations import services
from integrations.models import Connection, Delivery
from integrations.wifi.mapped import USUAL
from organisations import roles
from organisations.models import Organisation
from tests.integrations.conftest import Shop, work

pytestmark = pytest.mark.django_db

CAME = {"visitors": [{"mail": "bob@example.com", "when": 1767607200}]}


@pytest.fixture
def portal(connect: Callable[..., Connection]) -> Connection:
    return connect("wifi", account="Cafe")


def post(portal: Connection, body: Any) -> Delivery:
    raw = json.dumps(body)
    assert Client().post(portal.path, raw, content_type="application/json").status_code == 200
    work()
    found: Delivery = Delivery.objects.for_organisation(portal.organisation).latest("pk")
    return found


def page(portal: Connection) -> str:
    return reverse("admin:integrations_connection_mapping", args=[portal.pk])


def press(client: Client, portal: Connection, do: str, **typed: Any) -> Any:
    return client.post(page(portal), {"mapping": USUAL, "do": do, **typed})


def mapping(answer: Any) -> str:
    found: str = answer.context["sheet"].mapping
    return found


def text_of(answer: Any) -> str:
    bare = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(bare.replace("&quot;", '"').replace("&#x27;", "'").split())


def test_it_begins_with_what_failed(owner: Client, portal: Connection) -> None:
    failed = post(portal, CAME)
    post(portal, {"user": {"email": "ann@example.com"}})

    answer = owner.get(page(portal))

    assert answer.context["sheet"].delivery == failed
    assert "No e-mail address, phone number or guest was found" in text_of(answer)
    assert 'mail "bob@example.com"' in text_of(answer)


def test_a_value_is_chosen_and_what_it_makes_is_shown(owner: Client, portal: Connection) -> None:
    delivery = post(portal, CAME)

    answer = press(owner, portal, "use:email", path="visitors[0].mail", delivery=delivery.pk)

    assert "email = visitors[0].mail | user.email | email" in mapping(answer)
    assert "A new contact: bob@example.com" in text_of(answer)
    assert not Contact.objects.for_organisation(portal.organisation).exists()
    portal.refresh_from_db()
    assert portal.options["mapping"] == USUAL

    again = press(
        owner, portal, "drop:email=visitors[0].mail", mapping=mapping(answer), delivery=delivery.pk
    )
    assert mapping(again).strip() == USUAL.strip()


def test_something_else_is_kept_under_its_own_name(owner: Client, portal: Connection) -> None:
    answer = press(owner, portal, "use:data", path='a["Door code!"]', sample='{"a": 1}')

    assert 'data.Door_code = a["Door code!"]' in mapping(answer)


def test_the_type_that_is_always_so_stands_behind_what_is_said(
    owner: Client, portal: Connection
) -> None:
    typed = press(owner, portal, "use:type", path="kind", sample='{"kind": "x"}')
    answer = press(owner, portal, "always:type", mapping=mapping(typed), always_type="Purchase")
    assert 'type = kind | "Purchase"' in mapping(answer)

    other = press(owner, portal, "always:type", mapping=mapping(answer), always_type="Login")
    assert 'type = kind | "Login"' in mapping(other)

    none = press(owner, portal, "always:type", mapping=mapping(other), always_type="")
    assert "type = kind" in mapping(none).splitlines()


def test_it_is_saved_and_what_failed_is_applied(owner: Client, portal: Connection) -> None:
    failed = post(portal, CAME)
    refused = post(portal, {"visitors": []})
    wanted = "email = visitors[0].mail\nat = visitors[0].when"

    answer = owner.post(
        page(portal),
        {"mapping": wanted.replace("\n", "\r\n"), "do": "apply", "delivery": failed.pk},
        follow=True,
    )

    assert answer.redirect_chain == [(f"{page(portal)}?delivery={failed.pk}", 302)]
    assert "The mapping is saved, and 2 deliveries are applied again." in text_of(answer)
    portal.refresh_from_db()
    assert portal.options["mapping"] == wanted
    work()
    for delivery, status in ((failed, "applied"), (refused, "failed")):
        delivery.refresh_from_db()
        assert delivery.status == status


def test_saving_alone_applies_nothing(owner: Client, portal: Connection) -> None:
    failed = post(portal, CAME)

    answer = owner.post(
        page(portal), {"mapping": "email = visitors[0].mail", "do": "save"}, follow=True
    )

    assert "The mapping is saved." in text_of(answer)
    failed.refresh_from_db()
    assert failed.due_at is None


@pytest.mark.parametrize(
    "do", ["show", "save", "apply", "use:email", "drop:email=a", "always:type"]
)
def test_a_mapping_that_cannot_be_read_is_said_and_not_kept(
    owner: Client, portal: Connection, do: str
) -> None:
    answer = press(owner, portal, do, mapping="email = a\nmail = b", path="a", always_type="Login")

    assert answer.status_code == 200
    assert "Line 2: begin with one of email" in text_of(answer)
    assert mapping(answer) == "email = a\nmail = b"
    portal.refresh_from_db()
    assert portal.options["mapping"] == USUAL


def test_two_do_not_overwrite_each_other_unseen(owner: Client, portal: Connection) -> None:
    was = owner.get(page(portal)).context["sheet"].was
    services.change(connection=portal, options={"mapping": "email = theirs"})

    answer = press(owner, portal, "save", mapping="email = mine", was=was)
    assert "Somebody else changed the mapping" in text_of(answer)

    press(owner, portal, "save", mapping="email = mine", was=answer.context["sheet"].was)
    portal.refresh_from_db()
    assert portal.options["mapping"] == "email = mine"


# Without a delivery


def test_nothing_came_yet(owner: Client, portal: Connection) -> None:
    answer = owner.get(page(portal))

    assert "Nothing has come yet." in text_of(answer)
    assert "log in once to try it" in text_of(answer)


def test_a_sample_will_do(owner: Client, portal: Connection) -> None:
    sample = '{"user": {"email": "ann@example.com"}}'

    answer = press(owner, portal, "show", sample=sample)

    assert "A new contact: ann@example.com" in text_of(answer)
    assert not Delivery.objects.for_organisation(portal.organisation).exists()


@pytest.mark.parametrize(
    ("sample", "said"),
    [("{", "The body is not JSON"), ("1" * 200_001, "at most 200,000 characters")],
)
def test_what_is_wrong_with_a_sample_is_said(
    owner: Client, portal: Connection, sample: str, said: str
) -> None:
    assert said in text_of(press(owner, portal, "show", sample=sample))


@pytest.mark.parametrize("sample", ["[]", "7", '"text"', "null", "[[1]]", "{}"])
def test_any_json_can_be_looked_at(owner: Client, portal: Connection, sample: str) -> None:
    assert press(owner, portal, "show", sample=sample).status_code == 200


# Whose it is


def test_a_failed_delivery_leads_there(
    owner: Client, portal: Connection, shop: Shop, staff_of: Callable[..., Client]
) -> None:
    failed = post(portal, CAME)
    theirs = shop.tell("orders/paid", b"{}")
    address = f"{page(portal)}?delivery={failed.pk}"

    def inbox(client: Client, delivery: Delivery) -> str:
        url = reverse("admin:integrations_delivery_change", args=[delivery.pk])
        return client.get(url).content.decode()

    assert address in inbox(owner, failed)
    assert "/mapping/" not in inbox(owner, theirs)
    assert "/mapping/" not in inbox(staff_of(portal.organisation, roles.READ_ONLY), failed)
    change = reverse("admin:integrations_connection_change", args=[portal.pk])
    assert page(portal) in owner.get(change).content.decode()


@pytest.mark.parametrize("role", [roles.STAFF, roles.READ_ONLY])
def test_who_may_not_change_connections_may_not_look(
    staff_of: Callable[..., Client], portal: Connection, role: str
) -> None:
    client = staff_of(portal.organisation, role)

    assert client.get(page(portal)).status_code in (403, 404)
    assert press(client, portal, "save", mapping="email = a").status_code in (403, 404)
    portal.refresh_from_db()
    assert portal.options["mapping"] == USUAL


def test_another_organisations_is_not_there(
    portal: Connection, other_organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    delivery = post(portal, CAME)
    theirs = other_organisation
    stranger = staff_of(theirs)
    assert stranger.get(page(portal)).status_code == 404

    own = services.connect(organisation=theirs, source="wifi", credentials={"account": "Bar"})
    answer = stranger.get(f"{page(own)}?delivery={delivery.pk}")
    assert "bob@example.com" not in text_of(answer)


def test_only_what_is_mapped_has_it(owner: Client, shop: Shop) -> None:
    assert owner.get(page(shop.connection)).status_code == 404


def test_what_it_costs_does_not_grow(
    owner: Client, portal: Connection, organisation: Organisation
) -> None:
    post(portal, {"user": {"email": "ann@example.com"}})
    Delivery.objects.for_organisation(organisation).update(status="failed")

    def cost() -> int:
        with CaptureQueriesContext(database) as captured:
            owner.get(page(portal))
        return len(captured)

    cost()
    before = cost()
    Delivery.objects.bulk_create(
        Delivery(
            organisation=organisation,
            connection=portal,
            key=str(number),
            body='{"user": {"email": "ann@example.com"}}',
            status=("failed", "waiting", "applied")[number % 3],
        )
        for number in range(60)
    )
    assert cost() == before <= 30
