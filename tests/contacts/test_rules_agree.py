"""The heart of the rule language: the query and the check in memory agree, always."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from activities.models import Activity
from contacts import rules
from contacts.models import Contact
from tests.contacts import rule_world

PHASES = (Phase.explicit, Phase.generate, Phase.shrink)


def disagreements(
    world: rule_world.World, data: Any, contacts: list[Contact], now: Any, activity: Any
) -> list[Any]:
    """The contacts for which the rule's answers differ: all of them, found in three ways."""
    rule = rules.parse(data, organisation=world.organisation, about=("contact", "activity"))
    everyone = Contact.objects.for_organisation(world.organisation).select_related("organisation")
    ids = [contact.pk for contact in contacts]
    found = set(rule.narrow(everyone, now=now, activity=activity).values_list("pk", flat=True))
    few = everyone.filter(pk__in=ids)
    bounded = rule.narrow(few, now=now, activity=activity, among={"in": ids})
    subjects = rules.subjects(few.order_by("pk"), rule, now=now)
    for subject in subjects:
        subject.activity = activity
    held = {subject.contact.pk for subject in subjects if rule.holds(subject)}
    alone = rules.Subject(subjects[0].contact, activity, now=now)
    answers = [found, set(bounded.values_list("pk", flat=True)), held]
    assert rule.holds(alone) == (alone.contact.pk in held), data
    return [(pk, data) for pk in ids if len({pk in answer for answer in answers}) > 1]


def check(world: rule_world.World, data: Any) -> None:
    now = data.draw(st.sampled_from(rule_world.NOWS), label="now")
    people = data.draw(st.lists(rule_world.people(now), min_size=1, max_size=3), label="people")
    wanted = data.draw(st.lists(rule_world.rules(now), min_size=8, max_size=16), label="rules")
    activity = data.draw(
        st.none()
        | st.builds(Activity, type=st.sampled_from(rule_world.TYPES), spend=st.just(5000)),
        label="activity",
    )
    with transaction.atomic():
        contacts = rule_world.write(world, people)
        wrong = [
            one for rule in wanted for one in disagreements(world, rule, contacts, now, activity)
        ]
        transaction.set_rollback(True)
    assert wrong == []


@pytest.fixture
def world(organisation: Any) -> rule_world.World:
    return rule_world.make_world(organisation)


@settings(
    max_examples=60,
    deadline=None,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_the_query_and_the_check_in_memory_agree(world: rule_world.World, data: Any) -> None:
    check(world, data)


@pytest.mark.slow
@settings(
    max_examples=800,
    deadline=None,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_they_agree_on_very_many(world: rule_world.World, data: Any) -> None:
    check(world, data)
