"""When the dashboard's figures are computed, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from desk.dashboard import figures, services
from desk.dashboard.models import DashboardSnapshot
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(organisation: Organisation) -> Client:
    rows.activity(organisation)
    return signed_in(rows.member(organisation, roles.OWNER).user)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an organisation with a million contacts."""
    monkeypatch.setattr(figures, "MANY", 0)


def snapshots() -> Any:
    return DashboardSnapshot.objects.across_organisations()


def shown(client: Client, **query: str) -> Any:
    page = client.get(reverse("admin:index"), query)
    return page.context["dashboard"]


def activities(dashboard: Any) -> str | None:
    return next((t.value for t in dashboard.get("tiles", ()) if t.label == "Activities"), None)


def test_quick_figures_are_those_of_now_and_not_kept(
    owner: Client, organisation: Organisation
) -> None:
    assert activities(shown(owner)) == "1"
    rows.activity(organisation)
    dashboard = shown(owner)
    assert (activities(dashboard), dashboard["as_of"], dashboard["pending"]) == ("2", NOW, False)
    assert not snapshots().exists()


@pytest.mark.usefixtures("slow")
def test_a_first_look_waits_for_the_worker(owner: Client) -> None:
    dashboard = shown(owner)
    assert dashboard["pending"]
    assert "tiles" not in dashboard
    poll = dashboard["poll"]
    waiting = owner.get(poll + "&after=~")
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (204, "2")
    assert services.compute_due() == 2
    page = owner.get(poll + "&after=~")
    assert page.status_code == 200
    assert activities(page.context["dashboard"]) == "1"
    assert owner.get(poll, {"after": page.context["dashboard"]["version"]}).status_code in (
        200,
        204,
    )


@pytest.mark.usefixtures("slow")
def test_old_figures_are_shown_with_their_time_until_there_are_newer_ones(
    owner: Client, organisation: Organisation, clock: Any
) -> None:
    shown(owner)
    services.compute_due()
    rows.activity(organisation)
    assert not shown(owner)["pending"]
    clock.shift(timedelta(hours=20))
    dashboard = shown(owner)
    assert (activities(dashboard), dashboard["as_of"], dashboard["pending"]) == ("1", NOW, True)
    assert "25/11/2026 14:00" in owner.get(reverse("admin:index")).content.decode()
    services.compute_due()
    dashboard = shown(owner)
    assert (activities(dashboard), dashboard["pending"]) == ("2", False)


@pytest.mark.usefixtures("slow")
def test_looking_again_asks_once(owner: Client) -> None:
    for _look in range(3):
        shown(owner)
    assert snapshots().filter(due_at=NOW).count() == snapshots().count() == 2


@pytest.mark.usefixtures("slow")
def test_one_of_two_workers_computes(owner: Client) -> None:
    shown(owner)
    first, second = snapshots()
    assert services.take(first)
    assert not services.take(first)
    assert services.compute_due() == 1
    assert snapshots().get(pk=second.pk).figures is not None


@pytest.mark.usefixtures("slow")
def test_without_a_worker_who_waits_has_it_computed(owner: Client, clock: Any) -> None:
    poll = shown(owner)["poll"] + "&after=~"
    clock.shift(services.PATIENCE - timedelta(seconds=1))
    assert owner.get(poll).status_code == 204
    clock.shift(timedelta(seconds=2))
    assert activities(owner.get(poll).context["dashboard"]) == "1"


@pytest.mark.usefixtures("slow")
def test_the_worker_does_it_in_a_thread_of_its_own(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(services, "compute_due", lambda stopping: done.append("computed"))
    background = services.Background()
    assert background.work() is False
    background.finish()
    assert done == []
    shown(owner)
    assert background.work() is False
    background.finish()
    assert done == ["computed"]


@pytest.mark.usefixtures("slow")
def test_what_took_long_is_left_to_get_older(owner: Client, clock: Any) -> None:
    shown(owner)
    services.compute_due()
    snapshots().update(seconds=10)
    clock.shift(timedelta(minutes=4))
    assert not shown(owner)["pending"]
    clock.shift(timedelta(minutes=2))
    assert shown(owner)["pending"]


@pytest.mark.usefixtures("slow")
def test_periods_that_nobody_looks_at_are_forgotten(owner: Client, clock: Any) -> None:
    shown(owner, period="custom", **{"from": "2026-01-01", "to": "2026-01-31"})
    services.compute_due()
    clock.shift(timedelta(days=6))
    shown(owner)
    services.compute_due()
    clock.shift(timedelta(days=2))
    services.prune()
    assert {row.period for row in snapshots()} == {"30", services.STANDING}


@pytest.mark.usefixtures("slow")
def test_organisations_have_snapshots_of_their_own(
    owner: Client, other_organisation: Organisation
) -> None:
    other = signed_in(rows.member(other_organisation, roles.OWNER).user)
    rows.contact(other_organisation)
    shown(owner)
    shown(other)
    services.compute_due()
    assert activities(shown(owner)) == "1"
    assert activities(shown(other)) == "0"
