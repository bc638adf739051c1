"""What a crash test wants of a database that only other processes have open: `python -m …`.

`seed COUNT URL` makes a workflow and so many contacts whom it takes; `later` lets the leases of
killed workers run out; `ring` rings for workers until it is killed; `report` prints what became of
it all as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import django

STEPS = 5
VISITS = "{{ contact.customFields.visits | default: 0 | plus: 1 }}"


def counted(step: str) -> dict[str, Any]:
    """A step that shows when its effect happened twice: it adds one."""
    return {"id": step, "type": "update_contact", "values": {"customFields": {"visits": VISITS}}}


def seed(count: int, url: str) -> None:
    from organisations.services import create_api_key, create_organisation
    from tests.conftest import ApiClient
    from tests.workflows.running import made

    organisation = create_organisation(name="Inn")
    _key, secret = create_api_key(organisation=organisation, name="test")
    api = ApiClient(secret, SERVER_NAME="localhost")
    api.post("/custom-fields", {"label": "Visits", "name": "visits", "type": "Number"})
    made(
        api,
        {"type": "activity_created"},
        {"type": "condition", "conditions": {"all": []}, "then": [counted("first")]},
        {"type": "call_webhook", "url": url},
        {"type": "give_credit", "amount": 100},
        counted("second"),
    )
    row = {"type": "Login", "source": "test", "happenedAt": "2026-04-07T14:30:00+00:00"}
    people = [{"emailAddress": f"c{number}@example.com"} for number in range(count)]
    rows = [{**row, "contact": one} for one in people]
    assert api.post("/activities/batch", {"activities": rows}).status_code == 200


def later() -> None:
    from django.utils import timezone

    from workflows.models import Run

    leased = Run.objects.across_organisations().filter(lease__isnull=False)
    leased.update(leased_until=timezone.now())


def report() -> None:
    from contacts.models import Contact
    from customfields.models import CustomFieldValue
    from rewards.models import CreditEntry
    from workflows.models import Event, Run, StepExecution

    runs = Run.objects.across_organisations()
    told = {
        "contacts": Contact.objects.across_organisations().count(),
        "events": Event.objects.across_organisations().count(),
        "statuses": list(runs.values_list("status", flat=True)),
        "errors": list(runs.exclude(error_message="").values_list("error_message", flat=True)),
        "executions": StepExecution.objects.count(),
        "visits": [
            int(visits)
            for visits in CustomFieldValue.objects.across_organisations().values_list(
                "value_number", flat=True
            )
            if visits is not None
        ],
        "credit": list(CreditEntry.objects.across_organisations().values_list("amount", flat=True)),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def ring() -> None:
    """Tell workers to look, as whoever writes does, again and again until killed."""
    from workflows import bell

    while True:
        began = time.monotonic()
        bell.ring_after_commit()
        sys.stdout.write(f"rang in {time.monotonic() - began:.3f} s\n")
        sys.stdout.flush()
        time.sleep(0.01)


def check(told: dict[str, Any], count: int) -> None:
    """Hold a report on so many contacts against what is promised: every run ended, and each effect
    on our tables happened once."""
    assert told["errors"] == []
    assert told["events"] == 0
    assert told["statuses"] == ["completed"] * count
    assert told["visits"] == [2] * count
    assert told["credit"] == [100] * count
    assert told["executions"] == STEPS * count


def main(task: str, *arguments: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crm.settings"
    django.setup()
    if task == "seed":
        seed(int(arguments[0]), arguments[1])
    else:
        {"later": later, "report": report, "ring": ring}[task]()


if __name__ == "__main__":
    main(*sys.argv[1:])
