"""A file tells news, which workflows hear of, unless `--backfill` says that it is history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activities.models import Activity
from contacts.models import Contact
from organisations.models import Organisation
from tests.imports.running import report, run, write_csv
from tests.workflows.running import add_tag, contact, made, runs, work

pytestmark = pytest.mark.django_db

ANYTHING = ("activity_created", "contact_created", "contact_updated", "order_created")


@pytest.fixture
def heard(api: Any) -> Any:
    """How many runs each trigger has begun."""
    workflows = {trigger: made(api, {"type": trigger}) for trigger in ANYTHING}
    does = {"all": [{"field": "contact.lastName", "operator": "eq", "value": "Doe"}]}
    segment = api.post("/segments", {"name": "Does", "rules": does})
    assert segment.status_code == 201, segment.content
    entered = {"type": "segment_entered", "segment": segment.json()["id"]}
    workflows["segment_entered"] = made(api, entered)
    workflows["tag_added"] = made(api, {"type": "tag_added", "tag": "VIP"})

    def count() -> dict[str, int]:
        work()
        return {name: len(runs(api, pk)) for name, pk in workflows.items() if runs(api, pk)}

    return count


@pytest.mark.parametrize("backfill", [True, False])
def test_contacts(
    api: Any, organisation: Organisation, heard: Any, tmp_path: Path, backfill: bool
) -> None:
    contact(api, "jane")
    before = heard()
    path = write_csv(
        tmp_path / "guests.csv",
        ["E-mail", "Last name", "Tags"],
        [["jane@example.com", "Doe", "VIP"], ["bob@example.com", "Doe", ""]],
    )
    told = report("import_contacts", path, organisation, *(["--backfill"] if backfill else []))
    assert (told["created"], told["updated"]) == (1, 1)
    news = {"contact_created": 2, "contact_updated": 1, "tag_added": 1, "segment_entered": 2}
    assert heard() == (before if backfill else news)
    tagged = Contact.objects.for_organisation(organisation).filter(tags__name="Does")
    assert tagged.count() == 2


@pytest.mark.parametrize("backfill", [True, False])
def test_activities(organisation: Organisation, heard: Any, tmp_path: Path, backfill: bool) -> None:
    path = write_csv(
        tmp_path / "orders.csv",
        ["E-mail", "Last name", "Type", "Source", "Date", "Booking reference"],
        [
            ["jane@example.com", "Doe", "Purchase", "till", "2026-04-07", ""],
            ["jane@example.com", "", "Login", "wifi", "2026-04-08", ""],
            ["bob@example.com", "", "Booking", "pms", "2026-04-08", "B-1"],
        ],
    )
    report("import_activities", path, organisation, *(["--backfill"] if backfill else []))
    news = {"activity_created": 3, "order_created": 1, "contact_created": 2, "segment_entered": 1}
    assert heard() == ({} if backfill else news)
    activities = Activity.objects.for_organisation(organisation)
    assert set(activities.values_list("backfill", flat=True)) == {backfill}


def test_whoever_brings_news_is_told_that_something_may_start(
    api: Any, organisation: Organisation, tmp_path: Path
) -> None:
    made(api, {"type": "contact_created"}, add_tag("new"))
    for number, (options, warned) in enumerate((([], True), (["--backfill"], False))):
        path = write_csv(tmp_path / f"{number}.csv", ["E-mail"], [[f"{number}@example.com"]])
        _code, _out, err = run("import_contacts", path, *options)
        assert ("--backfill for history" in err) is warned
