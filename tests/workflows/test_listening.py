"""What nobody listens to costs nothing, and whoever begins to listen is not overheard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from organisations.models import Organisation
from tests import factories
from tests.contacts.test_at_once import at_once
from tests.workflows.running import PURCHASE, add_tag, contact, happens, made, runs, work
from workflows import services
from workflows.models import Event

SIGN_UP = {"type": "activity_created", "activityTypes": ["Membership started"]}


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as found:
        act()
    return len(found)


@pytest.mark.django_db
def test_fifty_workflows_of_which_none_may_care_add_no_query(api: Any) -> None:
    jane = contact(api)
    happens(api, jane)
    before = queries(lambda: happens(api, jane))
    for _number in range(50):
        made(api, SIGN_UP, add_tag("x"))
    assert queries(lambda: happens(api, jane)) == before
    assert not Event.objects.across_organisations().exists()


@pytest.mark.django_db
def test_fifty_that_may_care_add_one_insert(api: Any) -> None:
    jane = contact(api)
    happens(api, jane)
    before = queries(lambda: happens(api, jane))
    for _number in range(50):
        made(api, PURCHASE, add_tag("x"))
    assert queries(lambda: happens(api, jane)) == before + 1
    assert Event.objects.across_organisations().count() == 1


@pytest.mark.django_db
def test_matching_and_reading_cost_the_same_for_one_and_for_many(api: Any) -> None:
    """A hundred events are matched, and a hundred conditions asked, with as many queries as ten."""
    rule = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 99}]}
    pk = made(api, PURCHASE, {"type": "condition", "conditions": rule})
    people = [contact(api, f"c{number}") for number in range(40)]

    def cost(some: list[int]) -> int:
        for one in some:
            happens(api, one)
        return queries(work)

    few = cost(people[:4])
    assert cost(people[4:]) == few
    assert {one["status"] for one in runs(api, pk)} == {"completed"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections")
def test_workflows_that_are_switched_on_at_once_are_all_heard() -> None:
    organisation: Organisation = factories.OrganisationFactory()

    def switch_on(number: int) -> None:
        services.create(
            organisation=Organisation.objects.get(pk=organisation.pk),
            name="Greet",
            trigger={"type": "tag_added", "tag": f"tag{number}"},
            steps=[],
            status="Active",
        )

    for begin in range(0, 30, 6):
        at_once(*(partial(switch_on, number) for number in range(begin, begin + 6)))
        organisation.refresh_from_db()
        wanted = {f"tag_added:tag{number}" for number in range(begin + 6)}
        assert organisation.listened_by("workflows") == wanted
