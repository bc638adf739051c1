"""What the tests between processes want of a database that only others have open: `python -m …`.

`seed COUNT URL` makes an endpoint and so many messages for it, of as many contacts, and prints its
secret; `later` lets the leases of killed workers run out; `report` prints what became of it.
"""

from __future__ import annotations

import json
import os
import sys

import django


def seed(count: int, url: str) -> None:
    from organisations.services import create_api_key, create_organisation
    from tests.conftest import ApiClient

    organisation = create_organisation(name="Inn")
    _key, secret = create_api_key(organisation=organisation, name="test")
    api = ApiClient(secret, SERVER_NAME="localhost")
    endpoint = api.post("/webhook-endpoints", {"url": url, "eventTypes": ["activity.created"]})
    row = {"type": "Login", "source": "test", "happenedAt": "2026-04-07T14:30:00+00:00"}
    people = [{"emailAddress": f"c{number}@example.com"} for number in range(count)]
    rows = [{**row, "contact": one} for one in people]
    assert api.post("/activities/batch", {"activities": rows}).status_code == 200
    sys.stdout.write(endpoint.json()["secret"] + "\n")


def later() -> None:
    from django.utils import timezone

    from integrations.outgoing.models import WebhookDelivery

    leased = WebhookDelivery.objects.across_organisations().filter(lease__isnull=False)
    leased.update(leased_until=timezone.now())


def report() -> None:
    from integrations.outgoing.models import WebhookAttempt, WebhookDelivery

    deliveries = WebhookDelivery.objects.across_organisations()
    told = {
        "statuses": list(deliveries.values_list("status", flat=True)),
        "attempts": list(WebhookAttempt.objects.values_list("status", flat=True)),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def main(task: str, *arguments: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crm.settings"
    django.setup()
    if task == "seed":
        seed(int(arguments[0]), arguments[1])
    else:
        {"later": later, "report": report}[task]()


if __name__ == "__main__":
    main(*sys.argv[1:])
