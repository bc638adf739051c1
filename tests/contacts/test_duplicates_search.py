"""The worker finds possible duplicates, and keeps what it found right."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contacts import services
from contacts.duplicates import possible_duplicates_of, scanning
from contacts.duplicates import services as duplicates
from contacts.duplicates.keys import MOST, KeyKind
from contacts.duplicates.models import (
    CrowdedKey,
    DuplicateCheck,
    DuplicateKey,
    DuplicatePair,
    DuplicateScan,
)
from contacts.models import Contact
from organisations.models import Organisation
from tests import factories
from tests.contacts.duplicates import look, pairs, person

pytestmark = pytest.mark.django_db

BORN = date(1980, 5, 17)


@pytest.fixture
def twins(organisation: Organisation) -> tuple[Contact, Contact]:
    """Two that are one: name and birthday are the same."""
    return (
        person(organisation, "jane@a.com", name="Jane Doe", dob=BORN),
        person(organisation, "other@b.com", name="Doe Jane", dob=BORN),
    )


def test_over_existing_data_each_kind_is_found(organisation: Organisation) -> None:
    made = [
        person(organisation, "j.doe@gmail.com", name="Jane Doe"),
        person(organisation, "jdoe+hotel@gmial.com", name="Jane Doe"),
        person(organisation, phone_number="07700 900123", first_name="Tom", last_name="Bell"),
        person(organisation, "tom@b.com", phone_number="+1 770 090 0123", name="Tom Bell"),
        person(organisation, "a@a.com", name="Zoe Hart", dob=BORN),
        person(organisation, "b@b.com", name="Hart Zoë", dob=BORN),
        person(
            organisation,
            "c@c.com",
            name="Alice Winter",
            addresses=[{"line1": "4 High Street", "postcode": "LS1 1AA"}],
        ),
        person(
            organisation,
            "d@d.com",
            name="Alice Wintre",
            addresses=[{"line1": "Flat 1, 4 High St", "postcode": "ls11aa"}, {"line1": "x"}],
        ),
        person(organisation, "nobody@e.com", name="Nobody Else", dob=BORN),
    ]
    look()
    ids = [one.pk for one in made]
    found = pairs(organisation)
    assert found[ids[0], ids[1]] == ["mailbox", "name"]
    assert found[ids[2], ids[3]] == ["phone", "name"]
    assert found[ids[4], ids[5]] == ["birthday", "name_swapped"]
    assert len(found) == 3  # flat 1 is not house 4
    services.update(
        contact=made[7], values={"addresses": [{"line1": "4, High St", "postcode": "LS1 1aa"}]}
    )
    look()
    assert pairs(organisation)[ids[6], ids[7]] == ["address", "name_alike"]


def test_other_organisations_are_others(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    person(organisation, "jane@a.com", name="Jane Doe", dob=BORN)
    person(other_organisation, "jane@a.com", name="Jane Doe", dob=BORN)
    look()
    assert not DuplicatePair.objects.across_organisations().exists()


def test_a_change_is_looked_at_and_a_pair_that_is_none_goes(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    first, second = twins
    look()
    services.update(contact=second, values={"name": "Thomas Bell"})
    look()
    assert pairs(organisation) == {}
    services.update(contact=second, values={"name": "Jane Doe"})
    look()
    assert pairs(organisation) == {(first.pk, second.pk): ["birthday", "name"]}


def test_what_is_not_compared_is_no_reason_to_look(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    look()
    services.update(contact=twins[0], values={"tags": ["VIP"]})
    services.tag(contacts=Contact.objects.for_organisation(organisation), name="All")
    assert not DuplicateCheck.objects.for_organisation(organisation).exists()


def test_a_batch_of_changes_is_one_row(organisation: Organisation) -> None:
    rows = [{"email_address": f"{n}@example.com", "name": "A B"} for n in range(30)]
    services.upsert_batch(organisation=organisation, rows=rows)
    assert not DuplicateCheck.objects.for_organisation(organisation).exists()  # new ones need none
    changed = [{**row, "name": "Cee Dee"} for row in rows]
    services.upsert_batch(organisation=organisation, rows=changed)
    (check,) = DuplicateCheck.objects.for_organisation(organisation)
    assert len(check.contacts) == 30


def test_a_row_of_the_queue_that_is_longer_than_a_step_is_done_in_parts(
    organisation: Organisation, twins: tuple[Contact, Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    DuplicatePair.objects.for_organisation(organisation).delete()
    monkeypatch.setattr(scanning, "STEP", 2)
    ids = [10**9, 10**9 + 1, 10**9 + 2, *(one.pk for one in twins)]
    DuplicateCheck.objects.create(organisation=organisation, contacts=ids)
    assert [scanning.check_some() for _step in range(4)] == [2, 2, 1, 0]
    assert len(pairs(organisation)) == 1


def test_new_contacts_are_looked_at_after_a_while(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    scanning.work()
    assert pairs(organisation) == {}  # a transaction under way may have lower ids
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        scanning.work()
        assert len(pairs(organisation)) == 1
        assert scanning.work() == 0


def test_a_scan_goes_on_where_it_was(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        person(organisation, f"{number}@a.com", name="Jane Doe", dob=BORN)
    monkeypatch.setattr(scanning, "STEP", 2)
    monkeypatch.setattr(scanning, "LAG", timedelta(0))
    written = scanning._write_pairs

    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    scanning.scan_some()
    monkeypatch.setattr(scanning, "_write_pairs", killed)
    with pytest.raises(KeyboardInterrupt):
        scanning.scan_some()
    monkeypatch.setattr(scanning, "_write_pairs", written)
    while scanning.scan_some() > 1:
        pass
    assert len(pairs(organisation)) == 10


def test_all_are_looked_through_again_once_a_week(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    look()
    # Behind the back of every service.
    Contact.objects.for_organisation(organisation).filter(pk=twins[1].pk).update(name="Jane Doe")
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        while scanning.work():
            pass
    assert pairs(organisation) == {(twins[0].pk, twins[1].pk): ["birthday", "name"]}


def test_too_many_of_one_key_are_left_out_and_named(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, KeyKind.BIRTHDAY, 3)
    made = [person(organisation, f"{n}@a.com", name="Jane Doe", dob=BORN) for n in range(3)]
    look()
    assert len(pairs(organisation)) == 3
    person(organisation, "d@a.com", name="Jane Doe", dob=BORN)
    duplicates.look_through_again(organisation=organisation)
    look()
    assert pairs(organisation) == {}
    (crowded,) = CrowdedKey.objects.for_organisation(organisation)
    assert (crowded.kind, crowded.value, crowded.contacts) == ("birthday", "1980-05-17 dj", 4)
    services.delete(contact=made[0])
    duplicates.look_through_again(organisation=organisation)
    look()
    assert not CrowdedKey.objects.for_organisation(organisation).exists()
    assert len(pairs(organisation)) == 3


def test_a_step_costs_the_same_for_many(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "LAG", timedelta(0))

    def cost(number: int) -> int:
        for index in range(number):
            for mail in ("jane.x", "janex"):
                person(organisation, f"{mail}{number}y{index}@gmail.com", name=f"J N{index}")
        past = timezone.now() - timedelta(seconds=1)
        DuplicateScan.objects.for_organisation(organisation).update(due_at=past)
        with CaptureQueriesContext(connection) as captured:
            scanning.scan_some()
        return len(captured)

    cost(2)
    few = cost(3)
    assert cost(40) <= few <= 20


def test_with_nothing_to_do_it_asks_twice(organisation: Organisation) -> None:
    look()
    with CaptureQueriesContext(connection) as captured:
        assert scanning.work() == 0
    assert len(captured) == 2


# Merged, redacted, deleted


def test_what_is_merged_is_proposed_no_more_and_again_when_that_is_undone(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    first, second = twins
    third = person(organisation, "third@c.com", name="Jane Doe", dob=BORN)
    look()
    assert len(pairs(organisation)) == 3
    services.merge(survivor=first, absorbed=second)
    assert pairs(organisation).keys() == {(first.pk, third.pk)}  # at once
    look()
    assert pairs(organisation).keys() == {(first.pk, third.pk)}
    services.unmerge(survivor=first, absorbed=second)
    look()
    assert len(pairs(organisation)) == 3


def test_who_is_not_the_one_is_not_whom_that_became_part_of(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    first, second = twins
    third = person(organisation, "third@c.com", name="Jane Doe", dob=BORN)
    look()
    rows = DuplicatePair.objects.for_organisation(organisation)
    duplicates.dismiss(pairs=rows.filter(first=second, second=third))
    services.merge(survivor=first, absorbed=second)
    look()
    assert pairs(organisation) == {}
    services.unmerge(survivor=first, absorbed=second)
    look()
    assert pairs(organisation).keys() == {(first.pk, second.pk), (first.pk, third.pk)}


def test_nothing_is_kept_of_what_was_erased(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    look()
    services.redact(contact=twins[0])
    assert pairs(organisation) == {}
    assert not DuplicateKey.objects.filter(contact=twins[0]).exists()
    look()
    assert not DuplicateKey.objects.filter(contact=twins[0]).exists()
    services.delete(contact=twins[1])
    assert not DuplicateKey.objects.exists()


# Dismissing


def test_what_was_dismissed_is_never_proposed_again_until_that_is_taken_back(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    look()
    user = factories.UserFactory()
    rows = DuplicatePair.objects.for_organisation(organisation)
    assert duplicates.dismiss(pairs=rows, by=user) == 1
    services.update(contact=twins[0], values={"last_name": "Doe", "name": "Jane  Doe"})
    duplicates.look_through_again(organisation=organisation)
    look()
    assert pairs(organisation) == {}
    row = rows.get()
    assert (row.decided_by, row.status) == (user, "dismissed")
    assert duplicates.propose_again(pairs=rows) == 1
    look()
    assert len(pairs(organisation)) == 1


def test_possible_duplicates_of_a_contact_are_one_query(
    organisation: Organisation, twins: tuple[Contact, Contact]
) -> None:
    third = person(organisation, "t@c.com", name="Jane Doe", dob=BORN)
    look()
    third = Contact.objects.for_organisation(organisation).get(pk=third.pk)
    with CaptureQueriesContext(connection) as captured:
        found = possible_duplicates_of(third)
        assert {str(one.other(third)) for one in found} == {"Jane Doe", "Doe Jane"}
        assert all(one.other(third).rollup.total_orders == 0 for one in found)
    assert len(captured) == 1
    assert possible_duplicates_of(third, limit=1) == found[:1]


# After any sequence


NAMES = ("Jane Doe", "Doe Jane", "Tom Bell")


class AnySequence(RuleBasedStateMachine):
    """People come, change, are merged, taken apart and dismissed, while the worker looks now and
    then. Whatever happens, what is open are the pairs that a search over everybody would find."""

    def __init__(self) -> None:
        super().__init__()
        self.organisation: Organisation = factories.OrganisationFactory()
        self.dismissed: set[tuple[int, int]] = set()
        self.number = 0

    def people(self) -> list[Contact]:
        rows = Contact.objects.for_organisation(self.organisation).current()
        return list(rows.order_by("pk"))

    @rule(name=st.sampled_from(NAMES))
    def comes(self, name: str) -> None:
        self.number += 1
        person(self.organisation, f"{self.number}@x{self.number}.com", name=name, dob=BORN)

    @precondition(lambda self: self.people())
    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 50))
    def changes(self, name: str, which: int) -> None:
        people = self.people()
        services.update(contact=people[which % len(people)], values={"name": name})

    @precondition(lambda self: len(self.people()) > 1)
    @rule(which=st.integers(0, 50))
    def merged(self, which: int) -> None:
        people = self.people()
        index = which % (len(people) - 1)
        services.merge(survivor=people[index + 1], absorbed=people[index])

    @rule()
    def taken_apart(self) -> None:
        rows = Contact.objects.for_organisation(self.organisation)
        for one in rows.filter(merged_into__merged_into=None).exclude(merged_into=None)[:1]:
            services.unmerge(survivor=rows.get(pk=one.merged_into_id), absorbed=one)

    @rule()
    def looked(self) -> None:
        look()

    @rule()
    def dismissed_first(self) -> None:
        rows = DuplicatePair.objects.for_organisation(self.organisation)
        row = rows.open().order_by("pk").first()
        if row is not None:
            duplicates.dismiss(pairs=rows.filter(pk=row.pk))
            self.dismissed.add((row.first_id, row.second_id))

    @invariant()
    def is_right(self) -> None:
        found = pairs(self.organisation)
        current = {one.pk for one in self.people()}
        for pair in found:
            assert pair[0] < pair[1]
            assert {*pair} <= current
        assert not self.dismissed & found.keys()

    def teardown(self) -> None:
        look()
        looked = pairs(self.organisation)
        duplicates.look_through_again(organisation=self.organisation)
        look()
        assert pairs(self.organisation) == looked


def test_after_any_sequence(db: None) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        AnySequence,
        settings=settings(
            max_examples=10,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
