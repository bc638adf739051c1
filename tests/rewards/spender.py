"""One of several processes that spend the same credit at once: `python -m …spender KEY CONTACT N`.

Says `ready`, begins when it is told to, and prints the answers as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django

ROUNDS = 12


def say(line: str) -> None:
    """To the process that started this one."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(key: str, contact: int, number: int) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "crm.settings"
    django.setup()
    from django.test import Client

    client = Client(headers={"x-api-key": key}, SERVER_NAME="localhost")

    def redeem(amount: int, reference: str) -> Any:
        body = {"amount": amount, "externalReference": reference}
        address = f"/api/contacts/{contact}/credit/redeem"
        response = client.post(address, body, content_type="application/json")
        return response.status_code, response.json()

    say("ready")
    sys.stdin.readline()
    same = [redeem(10, f"same-{round_}") for round_ in range(ROUNDS)]
    own = [redeem(7, f"own-{number}-{round_}") for round_ in range(ROUNDS)]
    say(json.dumps({"same": same, "own": own}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
