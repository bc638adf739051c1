"""One of several processes that post to the same database at once: `python -m …poster KEY`.

Says `ready`, begins when it is told to, and prints the answers as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django

ROUNDS = 8
IN_A_BATCH = 10


def say(line: str) -> None:
    """To the process that started this one."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(key: str, number: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crm.settings"
    django.setup()
    from django.test import Client

    client = Client(headers={"x-api-key": key}, SERVER_NAME="localhost")

    def post(path: str, body: Any) -> Any:
        response = client.post(f"/api/{path}", body, content_type="application/json")
        return response.status_code, response.json()

    say("ready")
    sys.stdin.readline()
    same, own, batches = [], [], []
    for round_ in range(ROUNDS):
        activity = {
            "contact": {"emailAddress": f"guest{round_}@example.com", "firstName": "Guest"},
            "type": "Purchase",
            "source": "till",
            "happenedAt": f"2026-04-07T14:{round_:02}:00Z",
            "spend": 100,
            "externalReference": f"SO-{round_}",
        }
        same.append(post("activities", activity))
        hot = activity | {"contact": {"emailAddress": "hot@example.com"}, "currencyCode": "EUR"}
        own.append(post("activities", hot | {"externalReference": f"{number}-{round_}"}))
        rows = [
            activity
            | {
                "externalReference": f"B-{round_}-{row}",
                "contact": {"emailAddress": f"guest{row}@example.com"},
            }
            for row in range(IN_A_BATCH)
        ]
        # Each process in another order.
        batches.append(post("activities/batch", {"activities": rows[number:] + rows[:number]}))
    say(json.dumps({"same": same, "own": own, "batches": batches}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
