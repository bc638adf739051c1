"""Whatever the description allows, and much that it does not, is answered as it says.

Schemathesis makes requests from /api/schema and sends them to the WSGI application. Each operation
gets some that fit and some that do not. No answer may be a 5xx, have a status that is not
described, another content type, or a body that its schema does not allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi import checks

from crm.wsgi import application
from integrations.outgoing import spreading
from organisations.models import Organisation
from tests import factories
from tests.conftest import ApiClient
from workflows.models import Run

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]

WORKFLOW = {"trigger": {"type": "manual"}, "steps": [{"type": "add_tag", "tag": "vip"}]}
HOOK = "https://93.184.216.34/hook"
RULES = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 3}]}

api_schema = schemathesis.openapi.from_wsgi(
    "/api/schema",
    application,
    config=SchemathesisConfig(
        projects=ProjectsConfig(
            default=ProjectConfig(
                generation=GenerationConfig(
                    modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
                    deterministic=True,
                    with_security_parameters=False,
                )
            )
        )
    ),
)


@pytest.fixture
def key(organisation: Organisation) -> str:
    return factories.api_key(organisation)


@pytest.fixture
def ids(key: str) -> dict[str, int]:
    """A row of each kind, by the first part of its address, and contacts to merge and unmerge."""
    api = ApiClient(key)
    field = api.post("/custom-fields", {"label": "Diet", "type": "Text"}).json()["id"]
    body: dict[str, Any] = {"emailAddress": "jane@example.com", "customFields": {"diet": "Vegan"}}
    contact = api.post("/contacts", body).json()["id"]
    others = {
        name: api.post("/contacts", {"emailAddress": f"{name}@example.com"}).json()["id"]
        for name in ("merge", "unmerge")
    }
    api.post(f"/contacts/{contact}/merge", {"contact": others["unmerge"]})
    credit = f"/contacts/{contact}/credit"
    for _number in range(9):
        api.post(credit, {"amount": 10**12})
    workflow = api.post("/workflows", {"name": "Greet", "status": "Active", **WORKFLOW})
    runs = f"/workflows/{workflow.json()['id']}/runs"
    run, failed = (api.post(runs, {"contact": contact}).json()["id"] for _run in range(2))
    Run.objects.across_organisations().filter(pk=failed).update(status=Run.Status.FAILED)
    made = {
        **others,
        "workflows": workflow.json()["id"],
        "runs": run,
        "cancel": run,
        "retry": failed,
        "entry": api.post(f"{credit}/redeem", {"amount": 100}).json()["id"],
        "contacts": contact,
        "contact": contact,
        "tags": api.post("/tags", {"name": "vip"}).json()["id"],
        "custom-fields": field,
        "segments": api.post("/segments", {"name": "Everybody", "rules": RULES}).json()["id"],
        "referral-invites": api.post("/referral-invites", {"contact": contact}).json()["id"],
        "activity-types": api.post("/activity-types", {"name": "Spa"}).json()["id"],
        "webhook-endpoints": api.post("/webhook-endpoints", {"url": HOOK}).json()["id"],
    }
    moment = "2026-04-07T14:30:00+00:00"
    for kind, name, resource in (
        ("Booking", "booking", "bookings"),
        ("Golf reservation", "golfReservation", "golf-reservations"),
        ("Table reservation", "tableReservation", "table-reservations"),
    ):
        body = {"contact": contact, "type": kind, "source": "x", "happenedAt": moment, name: {}}
        made["activities"] = api.post("/activities", body).json()["id"]
        made[resource] = api.get(f"/{resource}").json()[0]["id"]
    spreading.spread()
    deliveries = f"/webhook-endpoints/{made['webhook-endpoints']}/deliveries"
    made["deliveries"] = api.get(deliveries).json()[0]["id"]
    return made


@pytest.fixture
def _open_connection(ids: dict[str, int]) -> Iterator[None]:
    """As Django's test client does it: a request leaves the connection of the test open.

    After `ids`, whose client has the connections closed again.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def statuses() -> Iterator[list[int]]:
    """What an operation's cases were answered with. If none went well, little was tried."""
    answered: list[int] = []
    yield answered
    assert any(status < 300 for status in answered)


# The systematic part makes cases for every parameter: all of an operation's first, then one in few.
ALL_OF_THE_FIRST, THEN_ONE_IN = 24, 17
asked: Counter[str] = Counter()


def skips(case: Any) -> bool:
    operation = f"{case.method} {case.path}"
    asked[operation] += 1
    return (
        case.meta.phase.name is TestPhase.COVERAGE
        and asked[operation] > ALL_OF_THE_FIRST
        and asked[operation] % THEN_ONE_IN != 0
    )


def make_hit(case: Any, ids: dict[str, int]) -> None:
    """Let most cases name rows that are there, and few fail for headers that are made up."""
    number = asked[f"{case.method} {case.path}"]
    parts = case.path.split("/")
    if number % 4:
        owners = {"id", "contact", "segment", "workflow", "endpoint"}
        for name in owners & case.path_parameters.keys():
            case.path_parameters[name] = ids[parts[2]]
        if "runs" in parts and "id" in case.path_parameters:
            case.path_parameters["id"] = ids[parts[-1] if parts[-1] in ids else "runs"]
        if "deliveries" in parts and "id" in case.path_parameters:
            case.path_parameters["id"] = ids["deliveries"]
        if "entry" in case.path_parameters:
            case.path_parameters["entry"] = ids["entry"]
        if "field" in case.path_parameters:
            case.path_parameters["field"] = "diet"
    case.headers.pop("If-Match", None)
    # Schemathesis gives one key to nearly all: each but the first would be "used for another".
    if number % 8:
        case.headers.pop("Idempotency-Key", None)
    if case.meta.generation.mode is GenerationMode.POSITIVE and number % 4:
        known = {
            "contact": ids[parts[-1] if parts[-1] in ("merge", "unmerge") else "contacts"],
            "emailAddress": f"guest{number}@example.com",
            "phoneNumber": f"07700 900{number % 1000:03}",
            "phoneNumberCountryCode": "44",
            "timezone": "Europe/London",
            "currencyCode": "GBP",
            "country": "GB",
            "customFields": {"diet": "Vegetarian"},
            "rules": RULES,
            "activity": ids["activities"],
            "url": HOOK,
            "filters": {"data.type": ["Purchase"]},
            **WORKFLOW,
        }
        if parts[2] == "activities":
            known["type"] = "Purchase"
        put(case.body, known)


def put(body: Any, known: dict[str, Any]) -> None:
    """Let `body` have what no schema can tell: a zone that is one, a contact that is there."""
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, dict):
            for name, value in one.items():
                if name in known and value is not None:
                    one[name] = known[name]
                else:
                    put(value, known)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.usefixtures("_open_connection")
@api_schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(
    case: Any, key: str, ids: dict[str, int], statuses: list[int]
) -> None:
    if skips(case):
        return
    make_hit(case, ids)
    with transaction.atomic():  # each case finds the same rows
        response = case.call(headers={"x-api-key": key})
        transaction.set_rollback(True)
    statuses.append(response.status_code)
    case.validate_response(response, checks=CHECKS)
