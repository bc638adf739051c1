"""Files of the same facts imported at once, and posted meanwhile: each fact is there once.

On SQLite in memory there is one connection, so only PostgreSQL can show it.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from activities import services as activities
from activities.models import Activity
from contacts import rollups
from contacts.models import Contact
from organisations.models import Organisation
from tests.contacts.test_at_once import at_once
from tests.imports.running import report, write_csv

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections"),
]

HEADERS = ["E-mail", "Type", "Source", "Date", "Amount", "Order ID"]
FACTS = [
    [f"p{n % 40}@x.com", "Purchase", "till", "2026-04-07T12:00:00Z", "100", f"R{n}"]
    for n in range(400)
]


def post(organisation: Organisation) -> None:
    """The same facts from another door, a hundred at a time, the last ones first."""
    rows = [
        {
            "contact": {"email_address": email},
            "type": type_,
            "source": source,
            "happened_at": datetime.fromisoformat(date),
            "spend": int(amount),
            "external_reference": reference,
        }
        for email, type_, source, date, amount, reference in reversed(FACTS)
    ]
    for start in range(0, len(rows), 100):
        results = activities.record_batch(organisation=organisation, rows=rows[start : start + 100])
        assert all(result.error is None for result in results)


def test_each_fact_is_there_once(organisation: Organisation, tmp_path: Path) -> None:
    orders = [FACTS, FACTS[::-1], FACTS[200:] + FACTS[:200]]
    paths = [
        write_csv(tmp_path / f"{number}.csv", HEADERS, rows) for number, rows in enumerate(orders)
    ]

    *told, _posted = at_once(
        *[partial(report, "import_activities", path, organisation) for path in paths],
        partial(post, organisation),
    )

    assert [one["code"] for one in told] == [0, 0, 0]
    assert all(one["created"] + one["unchanged"] == len(FACTS) for one in told)
    recorded = Activity.objects.for_organisation(organisation)
    assert recorded.count() == len(FACTS)
    assert Contact.objects.for_organisation(organisation).count() == 40
    assert list(rollups.drift(organisation)) == []
