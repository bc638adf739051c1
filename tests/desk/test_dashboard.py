"""The first page: every figure is what the list behind it shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from activities import services as activities
from contacts import rfm, services
from contacts.models import Contact
from customfields import services as customfields
from desk.dashboard import figures
from desk.dashboard import services as dashboard
from desk.dashboard.models import DashboardSnapshot
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.admin.test_query_counts import ASKING
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(organisation: Organisation) -> Client:
    return signed_in(rows.member(organisation, roles.OWNER).user)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def world(organisation: Organisation, clock: Any) -> dict[str, Contact]:
    """Contacts of now and of long ago, with everything that must and must not be counted."""
    activities.define_type(organisation=organisation, name="Spa", counts_as_order=True)
    people = {}
    for name, days in (("old", 400), ("then", 40), ("new", 3), ("gone", 2), ("idle", 1)):
        clock.move_to(ago(days))
        people[name] = rows.contact(organisation, name=name.title())
    clock.move_to(NOW)
    facts = [
        ("old", "Purchase", 0.1, 4500, "GBP"),
        ("old", "Spa", 5, 2000, "GBP"),
        ("old", "Refund", 1, -500, "GBP"),
        ("old", "Purchase", 400, 99900, "GBP"),  # too long ago for either period
        ("then", "Shopify order", 12, 1000, "EUR"),
        ("then", "Connected to wifi", 29.5, 0, "GBP"),
        ("then", "Purchase", 35, 3000, "GBP"),
        ("then", "Purchase", 59, 1000, "GBP"),
        # In the evening of the last day before: today is not yet as far.
        ("then", "Purchase", 30 - 0.3, 777, "GBP"),
        ("new", "Login", 2, 0, "GBP"),
        ("gone", "Purchase", 1, 700, "GBP"),
    ]
    for name, type_, days, spend, currency in facts:
        activities.record(
            organisation=organisation,
            contact=people[name],
            type=type_,
            source="till",
            happened_at=ago(days),
            spend=spend,
            currency_code=currency,
        )
    # A merge moves what happened, and is itself no sign of life.
    services.merge(survivor=people["new"], absorbed=people.pop("gone"))
    return people


def tiles_of(client: Client, query: str = "") -> dict[str, Any]:
    page = client.get(reverse("admin:index") + query)
    assert page.status_code == 200
    return {tile.label: tile for tile in page.context["dashboard"]["tiles"]}


def rows_behind(client: Client, address: str) -> list[Any]:
    page = client.get(address)
    assert page.status_code == 200, address
    return list(page.context["cl"].result_list)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    "query",
    [
        "",
        "?period=today",
        "?period=7",
        "?period=365",
        "?period=custom&from=2026-10-20&to=2026-11-20",
    ],
)
def test_each_count_is_the_length_of_its_list(owner: Client, query: str) -> None:
    tiles = tiles_of(owner, query)
    for label in ("New contacts", "Active contacts", "Activities", "Orders"):
        tile = tiles[label]
        assert int(tile.value) == len(rows_behind(owner, tile.href)), (label, tile)
        assert int(tile.before) == len(rows_behind(owner, tile.before_href)), (label, tile)


def test_the_figures_of_thirty_days(owner: Client, world: dict[str, Contact]) -> None:
    tiles = tiles_of(owner)
    said = {label: (tile.value, tile.before) for label, tile in tiles.items()}
    assert said == {
        "New contacts": ("2", "1"),
        "Active contacts": ("3", "1"),
        "Activities": ("8", "2"),
        "Spend": ("£67.00", "£40.00"),
        "Orders": ("4", "2"),
        "Repeat rate": ("33%", "100%"),
        "Average order": ("£24.00", "£20.00"),
    }
    assert [text for text, _href in tiles["Spend"].more] == ["€10.00"]
    assert [text for text, _href in tiles["Average order"].more] == ["€10.00"]


def test_money_is_the_sum_of_its_list(owner: Client, world: dict[str, Contact]) -> None:
    spend = tiles_of(owner)["Spend"]
    (_text, foreign) = spend.more[0]
    assert sum(row.spend for row in rows_behind(owner, spend.href)) == 6700
    assert sum(row.spend for row in rows_behind(owner, spend.before_href)) == 4000
    assert [row.spend for row in rows_behind(owner, foreign)] == [1000]


def test_the_repeat_rate_leads_to_who_ordered_again(
    owner: Client, world: dict[str, Contact]
) -> None:
    tile = tiles_of(owner)["Repeat rate"]
    assert {row.name for row in rows_behind(owner, tile.href)} == {"Old"}
    assert {row.name for row in rows_behind(owner, tile.before_href)} == {"Then"}


def test_bars_lead_to_what_they_are_made_of(owner: Client, world: dict[str, Contact]) -> None:
    page = owner.get(reverse("admin:index"))
    for one in page.context["dashboard"]["charts"]:
        for bar in one["chart"].bars:
            behind = rows_behind(owner, bar.href) if bar.parts else []
            if one["id"] == "activities":
                assert int(bar.total) == len(behind)
            elif bar.parts:
                assert bar.total == f"£{sum(row.spend for row in behind) / 100:.2f}"


def test_a_currency_is_drawn_by_itself(owner: Client, world: dict[str, Contact]) -> None:
    page = owner.get(reverse("admin:index") + "?currency=EUR")
    spend = page.context["dashboard"]["charts"][0]
    assert [series.total for series in spend["chart"].series] == ["€10.00"]
    assert [code for code, _address, _current in spend["currencies"]] == ["GBP", "EUR"]


def test_cells_and_segments_lead_to_their_contacts(
    owner: Client, world: dict[str, Contact], organisation: Organisation
) -> None:
    rfm.recompute(organisation)
    heat = owner.get(reverse("admin:index")).context["dashboard"]["heat"]
    cells = [cell for _recency, row in heat["rows"] for cell in row]
    assert sum(cell["number"] for cell in cells) == heat["scored"] == 3
    for cell in cells:
        assert len(rows_behind(owner, cell["href"])) == cell["number"]
    for _word, _meaning, number, href in heat["segments"]:
        assert len(rows_behind(owner, href)) == int(number)
    assert len(rows_behind(owner, heat["lapsing_href"])) == int(heat["lapsing"])


def test_contacts_without_a_value_are_found(
    owner: Client, world: dict[str, Contact], organisation: Organisation
) -> None:
    customfields.define(organisation=organisation, label="Diet", type="Text")
    services.update(contact=world["old"], values={"customFields": {"diet": "vegan"}})
    (field,) = owner.get(reverse("admin:index")).context["dashboard"]["fields"]
    assert (field["percent"], field["has"], field["lacks"]) == ("25%", "1", "3")
    assert rows_behind(owner, field["has_href"]) == [world["old"]]
    assert len(rows_behind(owner, field["lacks_href"])) == 3


def test_the_top_leads_to_what_was_spent(owner: Client, world: dict[str, Contact]) -> None:
    top = owner.get(reverse("admin:index")).context["dashboard"]["top"]
    assert [(str(contact), spend) for contact, spend, _href in top] == [
        ("Old", "£60.00"),
        ("New", "£7.00"),
    ]
    assert sum(row.spend for row in rows_behind(owner, top[0][2])) == 6000


def test_failed_runs_are_counted_in_the_period(
    owner: Client, world: dict[str, Contact], organisation: Organisation, clock: Any
) -> None:
    clock.move_to(ago(40))
    rows.run(organisation, status="failed")
    clock.move_to(NOW)
    rows.run(organisation, status="completed")
    failed = rows.run(organisation, status="failed")
    runs = owner.get(reverse("admin:index")).context["dashboard"]["runs"]
    assert runs.text == "1 run failed"
    assert rows_behind(owner, runs.href) == [failed]


def test_connections_in_trouble_come_first(
    owner: Client, world: dict[str, Contact], organisation: Organisation
) -> None:
    rows.connection(organisation)
    failing = rows.delivery(organisation, status="failed")
    health = owner.get(reverse("admin:index")).context["dashboard"]["health"]
    assert [one.state for one in health] == ["bad", "fine"]
    (trouble,) = health[0].troubles
    assert trouble.text == "1 failed"
    assert rows_behind(owner, trouble.href) == [failing]


def test_nothing_of_others_is_counted(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    rows.activity(other_organisation)
    customfields.define(organisation=other_organisation, label="Secret field", type="Text")
    rows.contact(organisation, name="Mine")
    page = owner.get(reverse("admin:index"))
    assert {tile.value for tile in page.context["dashboard"]["tiles"]} == {"0", "1", "£0.00", "0%"}
    assert "Secret " not in page.content.decode()


@pytest.mark.usefixtures("world")
def test_figures_that_are_kept_name_nobody(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MANY", 0)
    owner.get(reverse("admin:index"))
    assert dashboard.compute_due() == 2
    kept = str(list(DashboardSnapshot.objects.across_organisations().values()))
    assert "Then" not in kept


def test_who_is_gone_is_not_named(
    owner: Client, world: dict[str, Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MANY", 0)
    owner.get(reverse("admin:index"))
    dashboard.compute_due()
    services.delete(contact=world["old"])
    top = owner.get(reverse("admin:index")).context["dashboard"]["top"]
    assert "Old" not in [str(contact) for contact, *_rest in top]


def test_an_empty_organisation_is_told_how_to_begin(owner: Client) -> None:
    page = owner.get(reverse("admin:index")).content.decode()
    assert "First steps" in page
    assert 'id="dashboard"' not in page


@pytest.mark.usefixtures("world")
def test_a_page_costs_the_same_for_much_that_happened(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner.get(reverse("admin:index")).status_code == 200
        return len(captured)

    monkeypatch.setattr(figures, "MANY", 0)  # as in an organisation with a million contacts
    queries()
    dashboard.compute_due()
    # Who asks (4); alerts, the snapshots, names, fields, the latest and their contacts, runs,
    # connections, deliveries, webhooks.
    before = queries()
    assert before <= ASKING + 14  # of them 4 for the first steps of a new organisation
    for index in range(12):
        rows.activity(organisation)
        customfields.define(organisation=organisation, label=f"Field {index}", type="Text")
    assert queries() <= before


@pytest.mark.usefixtures("world")
def test_the_latest_are_fetched_by_themselves(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    rows.activity(organisation, contact=rows.contact(organisation, name="Just Now"))
    rows.activity(other_organisation, contact=rows.contact(other_organisation, name="Not Mine"))
    with CaptureQueriesContext(connection) as captured:
        page = owner.get(reverse("admin:dashboard_latest"))
    assert len(captured) <= 4 + 2
    assert "Just Now" in page.content.decode()
    assert "Not Mine" not in page.content.decode()


@pytest.mark.parametrize("page", ["dashboard_body", "dashboard_latest"])
def test_parts_are_for_staff_of_an_organisation(page: str, db: None) -> None:
    assert Client().get(reverse(f"admin:{page}")).status_code == 302
    assert signed_in(UserFactory()).get(reverse(f"admin:{page}")).status_code == 404
