"""Several workers, and writers at the same moment: who is in a segment comes out right, and is told
once for each real change.

On SQLite in memory there is one connection, so only PostgreSQL can show it; a worker of its own
process is killed on both.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from activities import services as activities
from contacts import segments, services
from contacts.models import Contact, ContactTag
from contacts.segments import refreshing
from contacts.segments import services as segment_services
from contacts.segments.models import Segment, SegmentCheck
from contacts.signals import segment_changed
from organisations.models import Organisation
from tests.contacts.test_at_once import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs several connections"),
]

BUYERS = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 2}]}
NAMED = {"all": [{"field": "contact.firstName", "operator": "eq", "value": "a"}]}


@pytest.fixture
def heard(db: None) -> Iterator[list[tuple[int, int, bool]]]:
    """What was told, as (segment, contact, entered)."""
    told: list[tuple[int, int, bool]] = []

    def note(segment: Segment, contact_ids: list[int], entered: bool, **kwargs: Any) -> None:
        told.extend((segment.pk, pk, entered) for pk in contact_ids)

    segment_changed.connect(note)
    yield told
    segment_changed.disconnect(note)


def work() -> None:
    """Until nothing is left, also what another worker has in hand."""
    while segments.refresh_due() or segments.is_due():
        pass


def test_workers_and_writers_at_once(
    organisation: Organisation,
    heard: list[tuple[int, int, bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refreshing._Step, "size", 7)
    monkeypatch.setattr(refreshing, "_learn", lambda *_args: None)
    monkeypatch.setattr(refreshing, "CHECKED_TOGETHER", 5)
    made = [
        segment_services.create(organisation=organisation, name=name, rules=rules)
        for name, rules in (("Buyers", BUYERS), ("Named", NAMED))
    ]
    rows = [{"email_address": f"{n}@example.com", "first_name": "ab"[n % 2]} for n in range(30)]
    services.upsert_batch(organisation=organisation, rows=rows)
    ids = list(Contact.objects.for_organisation(organisation).values_list("pk", flat=True))
    fresh = partial(Organisation.objects.get, pk=organisation.pk)

    def buy(seed: int) -> None:
        chance = random.Random(seed)
        owner = fresh()
        for _number in range(25):
            made, _created = activities.record(
                organisation=owner,
                contact=chance.choice(ids),
                type="Purchase",
                source="till",
                happened_at=timezone.now(),
            )
            if chance.random() < 0.4:
                made.organisation = owner
                activities.void(activity=made)

    def rename(seed: int) -> None:
        chance = random.Random(seed)
        owner = fresh()
        for _number in range(20):
            contact = Contact.objects.for_organisation(owner).get(pk=chance.choice(ids))
            contact.organisation = owner
            services.update(contact=contact, values={"first_name": chance.choice("ab")})

    def edit() -> None:
        owner = fresh()
        for rules in (NAMED, BUYERS, NAMED, BUYERS):
            segment = Segment.objects.for_organisation(owner).get(pk=made[0].pk)
            segment.organisation = owner
            segment_services.change(segment=segment, values={"rules": rules})

    at_once(partial(buy, 1), partial(buy, 2), partial(rename, 3), edit, work, work, work)
    work()

    for segment, rules in ((made[0], BUYERS), (made[1], NAMED)):
        rule = segment_services.read_rules(organisation, rules)
        expected = set(
            rule.narrow(Contact.objects.for_organisation(organisation)).values_list("pk", flat=True)
        )
        links = ContactTag.objects.for_organisation(organisation).filter(tag=segment.tag)
        assert set(links.values_list("contact", flat=True)) == expected
        stored = Segment.objects.for_organisation(organisation).get(pk=segment.pk)
        assert (stored.contact_count, stored.error) == (len(expected), "")
        # Of each contact: in, out, in, … and as often as it says that it is where it is.
        told = [(pk, entered) for which, pk, entered in heard if which == segment.pk]
        balance = Counter(chain.from_iterable([pk] for pk, entered in told if entered))
        balance.subtract(pk for pk, entered in told if not entered)
        assert {pk for pk, number in balance.items() if number} == expected
        assert set(balance.values()) <= {0, 1}
    assert not SegmentCheck.objects.across_organisations().exists()


def test_merging_and_deleting_while_workers_put_tags_on(organisation: Organisation) -> None:
    segment_services.create(organisation=organisation, name="Everybody", rules={"all": []})
    rows = [{"email_address": f"{n}@example.com"} for n in range(40)]
    services.upsert_batch(organisation=organisation, rows=rows)
    everyone = list(Contact.objects.for_organisation(organisation).order_by("pk"))

    def merge() -> None:
        for survivor, absorbed in zip(everyone[1:10], everyone[10:19], strict=True):
            services.merge(survivor=survivor, absorbed=absorbed)

    def delete() -> None:
        for contact in everyone[20:39][::-1]:
            services.delete(contact=contact)

    answers = at_once(merge, delete, work, work)
    work()

    assert answers == [None] * 4
    left = Contact.objects.for_organisation(organisation).filter(merged_into=None)
    links = ContactTag.objects.for_organisation(organisation).filter(tag__kind="segment")
    assert set(links.values_list("contact", flat=True)) == set(left.values_list("pk", flat=True))
    segment = Segment.objects.for_organisation(organisation).get()
    assert segment.contact_count == left.count() == 12
