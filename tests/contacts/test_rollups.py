"""The stored totals equal what the activities add up to, after anything that anyone may do."""

from __future__ import annotations

import contextlib
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from activities import services
from activities.models import Activity, ActivityType
from contacts import rollups
from contacts import services as contact_services
from contacts.models import Contact, ContactRollup, SpendInCurrency
from crm.errors import Conflict
from organisations.models import Organisation
from tests.factories import OrganisationFactory

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = ["Purchase", "Shopify order", "Login", "Refund", "Contact merged in", "Spa visit", "Quiz"]
TYPE = st.sampled_from(TYPES)
MOMENT = st.integers(0, 30).map(lambda day: START + timedelta(days=day))
SPEND = st.integers(-10_000, 10_000)
CURRENCY = st.sampled_from(["GBP", "EUR", "USD"])
REFERENCE = st.none() | st.sampled_from(["A", "B", "C"])
CONTACTS = 3


def values(**change: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "type": TYPE,
            "source": st.just("till"),
            "happened_at": MOMENT,
            "spend": SPEND,
            "currency_code": CURRENCY,
            "external_reference": REFERENCE,
            **change,
        }
    )


class Totals(RuleBasedStateMachine):
    """Everything that changes activities, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        self.organisation = Organisation.objects.create(name="Inn")
        ActivityType.objects.create(
            organisation=self.organisation, name="Spa visit", counts_as_order=True
        )
        ActivityType.objects.create(organisation=self.organisation, name="Quiz")
        self.contacts = [
            contact_services.upsert(
                organisation=self.organisation, values={"email_address": f"c{n}@example.com"}
            )[0].pk
            for n in range(CONTACTS)
        ]

    def contact(self, at: int) -> Contact:
        return Contact.objects.for_organisation(self.organisation).resolve(self.contacts[at])

    def activities(self) -> Any:
        return Activity.objects.for_organisation(self.organisation).order_by("pk")

    def activity(self, at: int) -> Activity:
        rows = self.activities()
        found: Activity = rows[at % rows.count()]
        return found

    def some(self) -> bool:
        return self.activities().exists()

    AT = st.integers(0, CONTACTS - 1)
    ROW = st.integers(0, 50)

    @rule(at=AT, given=values())
    def record(self, at: int, given: dict[str, Any]) -> None:
        services.record(organisation=self.organisation, contact=self.contacts[at], **given)

    @rule(
        email=st.sampled_from(["c0@example.com", "c2@example.com", "x@example.com"]), given=values()
    )
    def record_for_an_object(self, email: str, given: dict[str, Any]) -> None:
        services.record(organisation=self.organisation, contact={"email_address": email}, **given)

    @rule(rows=st.lists(st.tuples(AT, values()), max_size=6), atomic=st.booleans())
    def record_batch(self, rows: list[Any], atomic: bool) -> None:
        services.record_batch(
            organisation=self.organisation,
            rows=[{"contact": self.contacts[at], **given} for at, given in rows],
            atomic=atomic,
        )

    @rule(at=AT, given=values(external_reference=st.none()))
    def create_the_row(self, at: int, given: dict[str, Any]) -> None:
        Activity.objects.create(organisation=self.organisation, contact=self.contact(at), **given)

    @rule(rows=st.lists(st.tuples(AT, values(external_reference=st.none())), max_size=5))
    def create_rows_in_bulk(self, rows: list[Any]) -> None:
        Activity.objects.bulk_create(
            Activity(organisation=self.organisation, contact=self.contact(at), **given)
            for at, given in rows
        )

    @precondition(some)
    @rule(
        at=ROW,
        change=st.fixed_dictionaries(
            {},
            optional={
                "type": TYPE,
                "happened_at": MOMENT,
                "spend": SPEND,
                "currency_code": CURRENCY,
                "contact": AT,
            },
        ),
    )
    def correct(self, at: int, change: dict[str, Any]) -> None:
        if "contact" in change:
            change = change | {"contact": self.contacts[change["contact"]]}
        with contextlib.suppress(Conflict):
            services.correct(activity=self.activity(at), values=change)

    @precondition(some)
    @rule(at=ROW, contact=AT, spend=SPEND, moment=MOMENT, fields=st.booleans())
    def save_the_row(
        self, at: int, contact: int, spend: int, moment: datetime, fields: bool
    ) -> None:
        row = self.activity(at)
        row.contact, row.spend, row.happened_at = self.contact(contact), spend, moment
        row.save(update_fields=["spend", "contact"] if fields else None)

    @precondition(some)
    @rule(at=ROW, spend=SPEND)
    def save_a_stale_row(self, at: int, spend: int) -> None:
        stale, fresh = self.activity(at), self.activity(at)
        fresh.spend, fresh.happened_at = 7, START
        fresh.save()
        stale.spend = spend
        stale.save()

    @precondition(some)
    @rule(at=ROW)
    def save_an_expression(self, at: int) -> None:
        row = self.activity(at)
        row.spend = F("spend") + 11
        row.save()

    @precondition(some)
    @rule(at=ROW)
    def void(self, at: int) -> None:
        services.void(activity=self.activity(at))

    @precondition(some)
    @rule(at=ROW)
    def delete_twice(self, at: int) -> None:
        one, two = self.activity(at), self.activity(at)
        one.delete()
        two.delete()

    @precondition(some)
    @rule(type_=TYPE)
    def delete_in_bulk(self, type_: str) -> None:
        self.activities().filter(type=type_).delete()

    @precondition(some)
    @rule(
        type_=TYPE,
        change=st.sampled_from(
            [
                {"spend": F("spend") * 2},
                {"happened_at": START},
                {"currency_code": "EUR"},
                {"source": "web"},
            ]
        ),
    )
    def update_in_bulk(self, type_: str, change: dict[str, Any]) -> None:
        self.activities().filter(type=type_).update(**change)

    @precondition(some)
    @rule(at=AT)
    def move_in_bulk(self, at: int) -> None:
        self.activities().filter(type="Login").update(contact=self.contact(at))

    @rule(survivor=AT, absorbed=AT)
    def merge(self, survivor: int, absorbed: int) -> None:
        with suppress(ValidationError, Conflict):  # into itself, or one that was redacted
            contact_services.merge(survivor=self.contact(survivor), absorbed=self.contact(absorbed))

    @rule(at=AT)
    def unmerge(self, at: int) -> None:
        contacts = Contact.objects.for_organisation(self.organisation)
        absorbed = contacts.get(pk=self.contacts[at])
        if absorbed.merged_into is not None:
            with contextlib.suppress(Conflict):
                contact_services.unmerge(survivor=absorbed.merged_into, absorbed=absorbed)

    @rule(counts=st.booleans())
    def change_what_an_order_is(self, counts: bool) -> None:
        spa = ActivityType.objects.for_organisation(self.organisation).get(name="Quiz")
        services.change_type(activity_type=spa, values={"counts_as_order": counts})

    @rule(at=AT)
    def redact(self, at: int) -> None:
        if at == 2 and self.contact(at).merged_into is None:
            contact_services.redact(contact=self.contact(at))

    @invariant()
    def totals_are_right(self) -> None:
        if hasattr(self, "organisation"):
            assert list(rollups.drift(self.organisation)) == []


@pytest.mark.django_db
def test_after_any_sequence_of_edits_stored_totals_equal_recomputed_ones() -> None:
    run_state_machine_as_test(
        Totals,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def contact(organisation: Organisation) -> Contact:
    return contact_services.upsert(
        organisation=organisation, values={"email_address": "jane@example.com"}
    )[0]


def buy(contact: Contact, spend: int = 1000, day: int = 0, **values: Any) -> Activity:
    return services.record(
        organisation=contact.organisation,
        contact=contact,
        **{
            "type": "Purchase",
            "source": "till",
            "happened_at": START + timedelta(days=day),
            "spend": spend,
            **values,
        },
    )[0]


def totals(contact: Contact) -> tuple[Any, ...]:
    row = ContactRollup.objects.across_organisations().get(contact=contact)
    return tuple(getattr(row, total) for total in rollups.TOTALS)


def test_totals_are_counted_by_hand_once(contact: Contact) -> None:
    """The property above compares two ways to count; this one says what right is."""
    buy(contact, 1000, day=1)
    buy(contact, 500, day=3, type="Shopify order")
    buy(contact, -200, day=5, type="Refund")
    buy(contact, 900, day=2, currency_code="EUR")
    buy(contact, 0, day=9, type="Contact merged in")
    assert totals(contact) == (
        1300,
        3,
        START + timedelta(days=5),
        START + timedelta(days=3),
    )
    assert list(contact.foreign_spend.values_list("currency_code", "amount")) == [("EUR", 900)]


def test_moving_an_activity_moves_what_it_counted(contact: Contact) -> None:
    other = contact_services.upsert(
        organisation=contact.organisation, values={"email_address": "john@example.com"}
    )[0]
    first, last = buy(contact, 100, day=1), buy(contact, 70, day=4)
    services.correct(activity=last, values={"contact": other})
    assert totals(contact) == (100, 1, first.happened_at, first.happened_at)
    assert totals(other) == (70, 1, last.happened_at, last.happened_at)


def test_deleting_the_latest_steps_back_to_the_one_before(contact: Contact) -> None:
    first, login = buy(contact, day=1), buy(contact, 0, day=2, type="Login")
    last = buy(contact, day=4)
    services.void(activity=last)
    assert totals(contact)[2:] == (login.happened_at, first.happened_at)
    services.void(activity=login)
    services.void(activity=first)
    assert totals(contact) == (0, 0, None, None)


def test_the_cost_of_an_activity_does_not_grow_with_the_history(
    contact: Contact, django_assert_num_queries: Any
) -> None:
    def cost() -> None:
        with django_assert_num_queries(5):  # SAVEPOINT, contact, insert, totals, RELEASE
            buy(contact, day=2)

    cost()
    services.record_batch(
        organisation=contact.organisation,
        rows=[
            {"contact": contact, "type": "Login", "source": "wifi", "happened_at": START}
            for _n in range(500)
        ],
    )
    cost()


def test_check_prints_drifts_and_repair_mends_them(contact: Contact, capsys: Any) -> None:
    from django.core.management import CommandError, call_command

    buy(contact, 1000, day=1)
    buy(contact, 300, day=1, currency_code="EUR")
    call_command("recompute_rollups", check=True)
    assert "All totals" in capsys.readouterr().out
    ContactRollup.objects.across_organisations().update(total_spend=5, last_order_at=None)
    SpendInCurrency.objects.across_organisations().update(amount=1)
    with pytest.raises(CommandError) as error:
        call_command("recompute_rollups", check=True)
    assert error.value.returncode == 1
    printed = capsys.readouterr().out
    assert f"contact {contact.pk}: total_spend is 5, its activities add up to 1000" in printed
    assert "last_order_at is None, its activities add up to 2026-01-02T00:00:00+00:00" in printed
    assert "spend_in EUR is 1, its activities add up to 300" in printed
    call_command("recompute_rollups", organisation=contact.organisation_id)
    assert "Repaired the totals of 1 contacts." in capsys.readouterr().out
    call_command("recompute_rollups", check=True)
    call_command("recompute_rollups")
    assert "Repaired the totals of 0 contacts." in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("recompute_rollups", organisation=987654)


def test_a_contact_without_a_row_of_totals_gets_one(contact: Contact) -> None:
    buy(contact, 1000)
    ContactRollup.objects.across_organisations().all().delete()
    assert rollups.recompute([contact.pk]) == 1
    assert totals(contact)[0] == 1000


def test_another_organisations_currency_and_types_are_its_own(
    organisation: Organisation, other_organisation: Organisation, contact: Contact
) -> None:
    other_organisation.currency_code = "EUR"
    other_organisation.save()
    theirs = contact_services.upsert(
        organisation=other_organisation, values={"email_address": "jane@example.com"}
    )[0]
    services.define_type(organisation=other_organisation, name="Massage", counts_as_order=True)
    services.define_type(organisation=organisation, name="Massage", counts_as_order=False)
    buy(theirs, 700, type="Massage", currency_code="EUR")
    buy(contact, 700, type="Massage", currency_code="EUR")
    assert totals(theirs)[:2] == (700, 1)
    assert totals(contact)[:2] == (0, 0)
    assert list(rollups.drift()) == []


def test_the_largest_spends_add_up_without_overflowing(contact: Contact) -> None:
    for day in range(3):
        buy(contact, 10**12, day=day)
    assert totals(contact)[0] == 3 * 10**12


def test_deleting_a_contact_takes_everything_with_it(contact: Contact) -> None:
    buy(contact, 300, currency_code="EUR", booking={"external_reference": "B1"})
    guest = contact_services.upsert(
        organisation=contact.organisation, values={"email_address": "guest@example.com"}
    )[0]
    checked_in = buy(guest, 0, type="Checked in", booking={"external_reference": "B1"})
    contact_services.delete(contact=contact)
    assert not Contact.objects.across_organisations().filter(pk=contact.pk).exists()
    checked_in.refresh_from_db()
    assert checked_in.booking is None
    # Past the service, row by row.
    Contact.objects.for_organisation(guest.organisation).filter(pk=guest.pk).delete()
    assert not Activity.objects.across_organisations().exists()
    assert not ContactRollup.objects.across_organisations().exists()
    assert list(rollups.drift()) == []


@pytest.fixture
def house(transactional_db: None) -> Organisation:
    return OrganisationFactory()  # type: ignore[return-value]


def _people_of(house: Organisation, number: int) -> list[Contact]:
    people = [Contact.objects.create(organisation=house, name=f"Guest {n}") for n in range(number)]
    for contact in people:
        for spend in (100, 200, 300):
            buy(contact, spend)
    return people


def test_repairs_by_portions_with_nobodys_transaction_around(
    house: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = _people_of(house, 7)
    wrong = ContactRollup.objects.filter(contact__in=people[:5])
    wrong.across_organisations().update(total_spend=F("total_spend") + 1)
    monkeypatch.setattr(rollups, "PORTION", 7)  # two contacts, who have three activities each

    assert {drift.contact_id for drift in rollups.drift()} == {one.pk for one in people[:5]}
    assert rollups.recompute(organisation=house) == 5
    assert rollups.recompute(organisation=house) == 0
    totals = ContactRollup.objects.for_organisation(house).values_list("total_spend", flat=True)
    assert list(totals) == [600] * 7


def test_totals_that_are_right_are_added_up_without_their_lock(house: Organisation) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks no rows")
    right, wrong = _people_of(house, 2)
    ContactRollup.objects.filter(contact=wrong).across_organisations().update(total_orders=9)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(rollups.lock([right.pk]).select_for_update())
            held.set()
            done.wait(60)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        assert rollups.recompute(organisation=house) == 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
        done.set()
        holder.join()
