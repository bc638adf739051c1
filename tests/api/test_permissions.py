"""Who may do what, at every address of the API.

The addresses come from the URL configuration: a new one without a line in `TABLE` fails. Each is
asked without a key, with a key of another organisation, with keys that may only read, that may do
everything else, and that may do just this; and by staff who may only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, get_resolver

from crm.api import scopes
from integrations.outgoing import spreading
from organisations.models import Membership, Organisation
from tests import factories
from tests.conftest import ApiClient

pytestmark = pytest.mark.django_db

# Open to all: they tell nothing that the source does not.
OPEN = {"/schema", "/docs"}

World = Mapping[str, Any]
# Rows whose address begins with that of another one.
IN = {"run": "/runs/", "delivery": "/deliveries/"}
WORKFLOW = {
    "name": "Greet",
    "status": "Active",
    "trigger": {"type": "manual"},
    "steps": [{"id": "pause", "type": "wait", "duration": "P1D"}],
}
HOOK = "https://93.184.216.34/hook"
EVERYBODY = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 0}]}


@dataclass(frozen=True)
class Call:
    """What an address wants: a scope, the row that it names in `World`, a body, and the answer."""

    scope: str
    status: int = 200
    row: str | None = None
    body: Callable[[World], Any] | None = None
    # Sent by another organisation, the body names a row that is not there for it.
    foreign: int | None = None


TABLE: dict[tuple[str, str], Call] = {
    ("GET", "/organisation"): Call("organisation:read"),
    ("GET", "/contacts"): Call("contacts:read"),
    ("POST", "/contacts"): Call(
        "contacts:write", 201, body=lambda _w: {"emailAddress": "new@example.com"}, foreign=201
    ),
    ("POST", "/contacts/batch"): Call(
        "contacts:write",
        body=lambda _w: {"contacts": [{"emailAddress": "new@example.com"}]},
        foreign=200,
    ),
    ("GET", "/contacts/{pk}"): Call("contacts:read", row="contact"),
    ("GET", "/contact/{pk}"): Call("contacts:read", row="contact"),
    ("PATCH", "/contacts/{pk}"): Call(
        "contacts:write", row="contact", body=lambda _w: {"firstName": "New"}
    ),
    ("DELETE", "/contacts/{pk}"): Call("contacts:write", 204, row="contact"),
    ("POST", "/contacts/{pk}/redact"): Call("contacts:write", row="contact"),
    ("POST", "/contacts/{pk}/merge"): Call(
        "contacts:write", row="contact", body=lambda w: {"contact": w["other contact"]}
    ),
    ("POST", "/contacts/{pk}/unmerge"): Call(
        "contacts:write", row="merged into", body=lambda w: {"contact": w["merged"]}
    ),
    ("PUT", "/contacts/{pk}/tags/{name}"): Call("contacts:write", row="contact"),
    ("DELETE", "/contacts/{pk}/tags/{name}"): Call("contacts:write", 204, row="contact"),
    ("GET", "/contacts/{pk}/custom-fields"): Call("contacts:read", row="contact"),
    ("PATCH", "/contacts/{pk}/custom-fields"): Call(
        "contacts:write", row="contact", body=lambda _w: {"diet": "Vegan"}
    ),
    ("GET", "/contacts/{pk}/custom-fields/{field}"): Call("contacts:read", row="contact"),
    ("PUT", "/contacts/{pk}/custom-fields/{field}"): Call(
        "contacts:write", row="contact", body=lambda _w: {"value": "Vegan"}
    ),
    ("DELETE", "/contacts/{pk}/custom-fields/{field}"): Call("contacts:write", 204, row="contact"),
    ("GET", "/contacts/{contact}/activities"): Call("activities:read", row="contact"),
    ("GET", "/contacts/{pk}/rollups"): Call("contacts:read", row="contact"),
    ("GET", "/contacts/{pk}/credit"): Call("rewards:read", row="contact"),
    ("POST", "/contacts/{pk}/credit"): Call(
        "rewards:write", 201, row="contact", body=lambda _w: {"amount": 500}
    ),
    ("POST", "/contacts/{pk}/credit/redeem"): Call(
        "rewards:write", 201, row="contact", body=lambda _w: {"amount": 100}
    ),
    ("POST", "/contacts/{pk}/credit/{entry}/reverse"): Call("rewards:write", 201, row="contact"),
    ("GET", "/contacts/{contact}/segments"): Call("contacts:read", row="contact"),
    ("GET", "/segments"): Call("segments:read"),
    ("POST", "/segments"): Call(
        "segments:write", 201, body=lambda _w: {"name": "New", "rules": EVERYBODY}, foreign=201
    ),
    ("POST", "/segments/preview"): Call(
        "segments:write", body=lambda _w: {"rules": EVERYBODY}, foreign=200
    ),
    ("GET", "/segments/{pk}"): Call("segments:read", row="segment"),
    ("PATCH", "/segments/{pk}"): Call(
        "segments:write", row="segment", body=lambda _w: {"name": "Renamed"}
    ),
    ("DELETE", "/segments/{pk}"): Call("segments:write", 204, row="segment"),
    ("GET", "/segments/{segment}/contacts"): Call("contacts:read", row="segment"),
    ("GET", "/workflows"): Call("workflows:read"),
    ("POST", "/workflows"): Call("workflows:write", 201, body=lambda _w: WORKFLOW, foreign=201),
    ("GET", "/workflows/{pk}"): Call("workflows:read", row="workflow"),
    ("PUT", "/workflows/{pk}"): Call(
        "workflows:write", row="workflow", body=lambda _w: WORKFLOW | {"name": "Other"}
    ),
    ("DELETE", "/workflows/{pk}"): Call("workflows:write", 204, row="workflow"),
    ("POST", "/workflows/{pk}/activate"): Call("workflows:write", row="workflow"),
    ("POST", "/workflows/{pk}/pause"): Call("workflows:write", row="workflow"),
    ("GET", "/workflows/{pk}/existing"): Call("workflows:read", row="workflow"),
    ("POST", "/workflows/{pk}/simulate"): Call(
        "workflows:write", row="workflow", body=lambda w: {"contact": w["contact"]}
    ),
    ("GET", "/workflows/{workflow}/runs"): Call("workflows:read", row="workflow"),
    ("POST", "/workflows/{workflow}/runs"): Call(
        "workflows:write", 201, row="workflow", body=lambda w: {"contact": w["contact"]}
    ),
    ("GET", "/workflows/{workflow}/runs/{pk}"): Call("workflows:read", row="workflow"),
    ("POST", "/workflows/{workflow}/runs/{pk}/retry"): Call("workflows:write", 409, row="workflow"),
    ("POST", "/workflows/{workflow}/runs/{pk}/cancel"): Call("workflows:write", row="workflow"),
    ("GET", "/webhook-endpoints"): Call("webhooks:read"),
    ("POST", "/webhook-endpoints"): Call(
        "webhooks:write", 201, body=lambda _w: {"url": HOOK}, foreign=201
    ),
    ("GET", "/webhook-endpoints/{pk}"): Call("webhooks:read", row="endpoint"),
    ("PATCH", "/webhook-endpoints/{pk}"): Call(
        "webhooks:write", row="endpoint", body=lambda _w: {"status": "paused"}
    ),
    ("DELETE", "/webhook-endpoints/{pk}"): Call("webhooks:write", 204, row="endpoint"),
    ("POST", "/webhook-endpoints/{pk}/rotate-secret"): Call("webhooks:write", row="endpoint"),
    ("POST", "/webhook-endpoints/{pk}/replay"): Call(
        "webhooks:write", row="endpoint", body=lambda _w: {"since": "2026-04-07T14:30:00Z"}
    ),
    ("GET", "/webhook-endpoints/{endpoint}/deliveries"): Call("webhooks:read", row="endpoint"),
    ("GET", "/webhook-endpoints/{endpoint}/deliveries/{pk}"): Call("webhooks:read", row="endpoint"),
    ("POST", "/webhook-endpoints/{endpoint}/deliveries/{pk}/replay"): Call(
        "webhooks:write", row="endpoint"
    ),
    ("GET", "/rule-fields"): Call("segments:read"),
    ("GET", "/tags"): Call("tags:read"),
    ("POST", "/tags"): Call("tags:write", 201, body=lambda _w: {"name": "New"}, foreign=201),
    ("GET", "/tags/{pk}"): Call("tags:read", row="tag"),
    ("DELETE", "/tags/{pk}"): Call("tags:write", 204, row="tag"),
    ("GET", "/referral-invites"): Call("referral-invites:read"),
    ("POST", "/referral-invites"): Call(
        "referral-invites:write",
        201,
        body=lambda w: {"contact": w["contact"], "emailAddress": "friend@example.com"},
        foreign=422,
    ),
    ("GET", "/referral-invites/{pk}"): Call("referral-invites:read", row="invite"),
    ("PATCH", "/referral-invites/{pk}"): Call(
        "referral-invites:write", row="invite", body=lambda _w: {"status": "Voided"}
    ),
    ("GET", "/custom-fields"): Call("custom-fields:read"),
    ("POST", "/custom-fields"): Call(
        "custom-fields:write",
        201,
        body=lambda _w: {"label": "Favourite drink", "type": "Text"},
        foreign=201,
    ),
    ("GET", "/custom-fields/{pk}"): Call("custom-fields:read", row="field"),
    ("PATCH", "/custom-fields/{pk}"): Call(
        "custom-fields:write", row="field", body=lambda _w: {"label": "New"}
    ),
    ("DELETE", "/custom-fields/{pk}"): Call("custom-fields:write", 204, row="unused field"),
    ("GET", "/activities"): Call("activities:read"),
    ("POST", "/activities"): Call(
        "activities:write", 201, body=lambda w: activity(w["contact"]), foreign=422
    ),
    ("POST", "/activities/batch"): Call(
        "activities:write", body=lambda w: {"activities": [activity(w["contact"])]}, foreign=200
    ),
    ("GET", "/activities/{pk}"): Call("activities:read", row="activity"),
    ("PATCH", "/activities/{pk}"): Call(
        "activities:write", row="activity", body=lambda _w: {"spend": 5}
    ),
    ("DELETE", "/activities/{pk}"): Call("activities:write", 204, row="activity"),
    ("GET", "/activity-types"): Call("activities:read"),
    ("POST", "/activity-types"): Call(
        "activities:write", 201, body=lambda _w: {"name": "Massage"}, foreign=201
    ),
    ("GET", "/activity-types/{pk}"): Call("activities:read", row="activity type"),
    ("PATCH", "/activity-types/{pk}"): Call(
        "activities:write", row="activity type", body=lambda _w: {"countsAsOrder": True}
    ),
    ("DELETE", "/activity-types/{pk}"): Call("activities:write", 204, row="activity type"),
    ("GET", "/bookings"): Call("activities:read"),
    ("GET", "/bookings/{pk}"): Call("activities:read", row="booking"),
    ("PATCH", "/bookings/{pk}"): Call(
        "activities:write", row="booking", body=lambda _w: {"status": "Cancelled"}
    ),
    ("GET", "/golf-reservations"): Call("activities:read"),
    ("GET", "/golf-reservations/{pk}"): Call("activities:read", row="golf reservation"),
    ("GET", "/table-reservations"): Call("activities:read"),
    ("GET", "/table-reservations/{pk}"): Call("activities:read", row="table reservation"),
}


def activity(contact: int, **values: Any) -> dict[str, Any]:
    return {
        "contact": contact,
        "type": "Purchase",
        "source": "test",
        "happenedAt": "2026-04-07T14:30:00+00:00",
        **values,
    }


def routes() -> Iterator[tuple[str, str]]:
    """Method and address of everything below /api/, as `("GET", "/contacts/{pk}")`."""

    def walk(patterns: Any, before: str = "") -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            address = f"{before}{pattern.pattern}"
            if isinstance(pattern, URLPattern):
                yield address, pattern.callback
            else:
                yield from walk(pattern.url_patterns, address)

    for address, view in walk(get_resolver().url_patterns):
        if not address.startswith("api/"):
            continue
        path = "/" + "".join(
            "{" + part.partition(":")[2] + "}" if closed else part
            for part, closed in _pieces(address.removeprefix("api/"))
        )
        if path in OPEN:
            continue
        actions = getattr(view, "actions", None)
        methods = actions or [
            method for method in view.cls.http_method_names if hasattr(view.cls, method)
        ]
        for method in methods:
            if method in view.cls.http_method_names and method != "head":
                yield method.upper(), path


def _pieces(address: str) -> Iterator[tuple[str, bool]]:
    for position, piece in enumerate(address.replace(">", "<").split("<")):
        yield piece, bool(position % 2)


ROUTES = sorted(set(routes()))


def test_every_address_has_a_line_here_and_every_line_an_address():
    assert set(TABLE) == set(ROUTES)


def test_every_scope_that_is_asked_for_is_known():
    assert {call.scope for call in TABLE.values()} <= set(scopes.SCOPES)


@pytest.fixture(scope="module")
def _transaction(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """One for all tests here, each of which has its own within: the world is made once."""
    with django_db_blocker.unblock():
        atomic = transaction.atomic()
        atomic.__enter__()
        yield
        transaction.set_rollback(True)
        atomic.__exit__(None, None, None)


@pytest.fixture(scope="module")
def organisation(_transaction: None) -> Organisation:
    return factories.OrganisationFactory()


@pytest.fixture(scope="module")
def other_organisation(_transaction: None) -> Organisation:
    return factories.OrganisationFactory()


@pytest.fixture(scope="module")
def world(organisation: Organisation) -> World:
    """A row of each kind, made over the API."""
    api = ApiClient(factories.api_key(organisation))

    def made(path: str, body: Any) -> Any:
        answer = api.post(path, body)
        assert answer.status_code in {200, 201}, answer.content
        return answer.json()

    field = made("/custom-fields", {"label": "Diet", "name": "diet", "type": "Text"})
    contacts = [
        made("/contacts", {"emailAddress": f"{n}@example.com", "customFields": {"diet": "None"}})
        for n in range(4)
    ]
    ids = [contact["id"] for contact in contacts]
    api.put(f"/contacts/{ids[0]}/tags/vip")
    made(f"/contacts/{ids[2]}/merge", {"contact": ids[3]})
    made(f"/contacts/{ids[0]}/credit", {"amount": 1000})
    redemption = made(f"/contacts/{ids[0]}/credit/redeem", {"amount": 100})
    kinds: dict[str, Any] = {
        "booking": {"externalReference": "B-1", "checkIn": "2026-05-01T14:00:00+00:00"},
        "golfReservation": {"holes": 18, "originReference": "G-1", "origin": "club"},
        "tableReservation": {"partySize": 2, "originReference": "T-1", "origin": "tables"},
    }
    types = ("Booking", "Golf reservation", "Table reservation")
    for kind, (name, value) in zip(types, kinds.items(), strict=True):
        made("/activities", activity(ids[0], type=kind, **{name: value}))
    workflow = made("/workflows", WORKFLOW)["id"]
    endpoint = made("/webhook-endpoints", {"url": HOOK})["id"]
    made("/activities", activity(ids[0]))
    spreading.spread()
    return {
        "endpoint": endpoint,
        "delivery": api.get(f"/webhook-endpoints/{endpoint}/deliveries").json()[0]["id"],
        "workflow": workflow,
        "run": made(f"/workflows/{workflow}/runs", {"contact": ids[0]})["id"],
        "contact": ids[0],
        "other contact": ids[1],
        "merged into": ids[2],
        "merged": ids[3],
        "redemption": redemption["id"],
        "field": field["id"],
        "unused field": made("/custom-fields", {"label": "Unused", "type": "Number"})["id"],
        "tag": made("/tags", {"name": "regular"})["id"],
        "segment": made("/segments", {"name": "Everybody", "rules": EVERYBODY})["id"],
        "invite": made("/referral-invites", {"contact": ids[0]})["id"],
        "activity": made("/activities", activity(ids[0]))["id"],
        "activity type": made("/activity-types", {"name": "Spa"})["id"],
        "booking": api.get("/bookings").json()[0]["id"],
        "golf reservation": api.get("/golf-reservations").json()[0]["id"],
        "table reservation": api.get("/table-reservations").json()[0]["id"],
    }


def ask(client: Any, route: tuple[str, str], world: World) -> Any:
    method, path = route
    call = TABLE[route]
    row = world[call.row] if call.row else None
    # /api is said in full: Django's own client is asked too.
    address = "/api" + path.format(
        pk=next((world[name] for name in ("run", "delivery") if IN[name] in path), row),
        contact=row,
        endpoint=row,
        segment=row,
        workflow=row,
        name="vip",
        field="diet",
        entry=world["redemption"],
    )
    if method in {"GET", "DELETE"}:
        return client.generic(method, address)
    body = call.body(world) if call.body else {}
    send = getattr(client, method.lower())
    return send(address, body, content_type="application/json")


def is_problem(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"


every_route = pytest.mark.parametrize("route", ROUTES, ids=" ".join)


@every_route
def test_nobody_in_particular_is_401(route, world, anonymous):
    is_problem(ask(anonymous, route, world), 401)


@every_route
def test_a_key_with_the_scope_may(route, world, organisation, api_for):
    answer = ask(api_for(organisation, [TABLE[route].scope]), route, world)
    assert answer.status_code == TABLE[route].status, answer.content


@every_route
def test_a_key_with_all_scopes_may(route, world, api):
    assert ask(api, route, world).status_code == TABLE[route].status


@every_route
def test_a_key_with_every_other_scope_may_not(route, world, organisation, api_for):
    needed = TABLE[route].scope
    others = [
        scope
        for scope in scopes.SCOPES
        if scope != scopes.ALL and not scopes.allows([scope], needed)
    ]
    is_problem(ask(api_for(organisation, others), route, world), 403)


@every_route
def test_a_reading_key_may_only_read(route, world, organisation, api_for):
    reading = [scope for scope in scopes.SCOPES if scope.endswith(":read")]
    answer = ask(api_for(organisation, reading), route, world)
    if route[0] == "GET":
        assert answer.status_code == TABLE[route].status
    else:
        is_problem(answer, 403)


@every_route
def test_another_organisation_finds_nothing(route, world, api, other_organisation, api_for):
    call = TABLE[route]
    before = everything(api)
    answer = ask(api_for(other_organisation), route, world)
    if call.row:
        is_problem(answer, 404)
    elif route[0] == "GET":
        assert answer.status_code == 200
        if route[1] not in {"/organisation", "/rule-fields"}:
            # The built-in types of activity are everybody's; they have no id.
            assert [one for one in answer.json() if one["id"] is not None] == []
    else:
        assert answer.status_code == call.foreign
        for result in answer.json().get("results", []):
            assert result["status"] == (422 if "activities" in route[1] else 201)
    assert everything(api) == before


def everything(api: Any) -> list[Any]:
    """All that the API lists for an organisation."""
    return [api.get(path).json() for method, path in ROUTES if method == "GET" and "{" not in path]


def staff(organisation: Any, role: str) -> Client:
    user = factories.UserFactory()
    Membership.objects.create(
        organisation=organisation, user=user, role=Group.objects.get(name=role)
    )
    client = Client()
    client.force_login(user)
    return client


@every_route
def test_staff_who_may_only_read_only_read(route, world, organisation):
    answer = ask(staff(organisation, "Read only"), route, world)
    if route[0] == "GET":
        assert answer.status_code == TABLE[route].status, answer.content
    else:
        is_problem(answer, 403)


@every_route
def test_an_owner_may(route, world, organisation):
    answer = ask(staff(organisation, "Owner"), route, world)
    assert answer.status_code == TABLE[route].status, answer.content


@every_route
def test_staff_of_another_organisation_find_nothing(route, world, other_organisation):
    if TABLE[route].row:
        is_problem(ask(staff(other_organisation, "Owner"), route, world), 404)
