"""Changing many contacts at once: done in batches, stopped, taken up again, undone."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts import services as contacts
from contacts.models import Contact
from contacts.segments import services as segments
from crm.errors import Conflict
from customfields import services as custom_fields
from customfields.querysets import held_by
from desk.bulk import services
from desk.bulk.models import BulkItem, BulkJob
from organisations.models import Organisation
from tests.admin import rows
from tests.factories import OrganisationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "BATCH", 3)


def people(organisation: Organisation, number: int, **values: Any) -> list[Contact]:
    return [rows.contact(organisation, **values) for _number in range(number)]


def start(organisation: Organisation, action: str, **told: Any) -> BulkJob:
    return services.start(
        organisation=organisation,
        by=rows.member(organisation).user,
        action=action,
        told=told,
        contacts=Contact.objects.for_organisation(organisation).current(),
    )


def never() -> bool:
    return False


def work(job: BulkJob) -> BulkJob:
    while services.work(stopping=never):
        pass
    job.refresh_from_db()
    return job


def one_batch(job: BulkJob) -> None:
    services.run(job, stopping=lambda: True)


def tagged(organisation: Organisation) -> set[int]:
    links = Contact.objects.for_organisation(organisation).filter(tags__name="VIP")
    return set(links.values_list("pk", flat=True))


def diets(organisation: Organisation) -> dict[int, Any]:
    return {
        contact.pk: {held.name: held.typed for held in held_by(contact)}.get("diet")
        for contact in Contact.objects.for_organisation(organisation)
    }


def test_the_worker_tags_all_and_undoing_takes_it_off_those_it_put_it_on(
    organisation: Organisation,
) -> None:
    had = people(organisation, 2, tags=["VIP"])
    everybody = {one.pk for one in had + people(organisation, 6)}
    stranger = rows.contact(OrganisationFactory())
    job = start(organisation, "tag", name="VIP")
    assert (job.total, job.done, tagged(organisation)) == (8, 0, {one.pk for one in had})
    job = work(job)
    assert (job.status, job.done, job.changed, job.failed) == ("completed", 8, 6, 0)
    assert tagged(organisation) == everybody
    assert not stranger.tags.exists()
    services.undo(job=job)
    job = work(job)
    assert (job.status, job.undone, job.kept) == ("undone", 6, 0)
    assert tagged(organisation) == {one.pk for one in had}


def test_untagging_and_its_undo(organisation: Organisation) -> None:
    had = {one.pk for one in people(organisation, 4, tags=["VIP"])}
    people(organisation, 2)
    job = work(start(organisation, "untag", name="vip"))
    assert (job.changed, tagged(organisation)) == (4, set())
    services.undo(job=job)
    work(job)
    assert tagged(organisation) == had


@settings(deadline=None, max_examples=30)
@given(
    before=st.lists(st.sampled_from([None, "Vegan", "Halal"]), min_size=1, max_size=7),
    since=st.sets(st.integers(0, 6)),
    wanted=st.sampled_from([None, "Vegan"]),
)
def test_undo_puts_back_each_value_that_nobody_changed_since(
    before: list[str | None], since: set[int], wanted: str | None
) -> None:
    organisation = OrganisationFactory()
    options = ["Vegan", "Halal", "Kosher"]
    rows.field(organisation, label="Diet", type="Select", options=options)
    made = [rows.contact(organisation, customFields={"diet": diet}) for diet in before]
    job = work(start(organisation, "set", field="diet", label="Diet", value=wanted))
    assert set(diets(organisation).values()) == {wanted}
    assert job.changed == sum(diet != wanted for diet in before)
    for index in since & set(range(len(made))):
        custom_fields.set_values(contact=made[index], values={"diet": "Kosher"})
    if job.changed:
        services.undo(job=job)
        work(job)
    assert diets(organisation) == {
        one.pk: "Kosher" if index in since else diet
        for index, (one, diet) in enumerate(zip(made, before, strict=True))
    }


def test_a_job_that_is_stopped_goes_on_where_it_was(organisation: Organisation) -> None:
    people(organisation, 8)
    job = start(organisation, "tag", name="VIP")
    one_batch(job)
    services.stop(job=job)
    job = work(job)
    assert (job.status, job.done, len(tagged(organisation))) == ("stopped", 3, 3)
    services.resume(job=job)
    job = work(job)
    assert (job.status, job.done, len(tagged(organisation))) == ("completed", 8, 8)
    with pytest.raises(Conflict):
        services.stop(job=job)


def test_a_worker_that_died_leaves_its_job_to_another(
    organisation: Organisation, time_machine: Any
) -> None:
    time_machine.move_to(timezone.now())
    people(organisation, 4)
    job = start(organisation, "tag", name="VIP")
    assert services._claim() == job
    services._batch(job)  # and is killed
    assert services._claim() is None
    time_machine.shift(services.LEASE.total_seconds() + 1)
    job = work(job)
    assert (job.status, job.done, job.changed) == ("completed", 4, 4)


def test_contacts_that_are_gone_are_told_and_the_others_done(organisation: Organisation) -> None:
    gone, redacted, merged, stays = people(organisation, 4)
    job = start(organisation, "tag", name="VIP")
    pk = gone.pk
    contacts.delete(contact=gone)
    contacts.redact(contact=redacted)
    contacts.merge(survivor=stays, absorbed=merged)
    job = work(job)
    assert (job.done, job.changed, job.failed) == (4, 1, 3)
    assert tagged(organisation) == {stays.pk}
    failed = BulkItem.objects.filter(job=job, outcome="failed")
    assert set(failed.values_list("contact_id", flat=True)) == {pk, redacted.pk, merged.pk}


def test_what_can_be_done_to_nobody_is_refused_before_anything_is(
    organisation: Organisation,
) -> None:
    people(organisation, 2)
    rows.field(organisation, label="Diet", type="Select", options=["Vegan"], required=True)
    rows.field(organisation, label="Card", type="Text", unique=True)
    rule = {"field": "contact.totalOrders", "operator": "gte", "value": 1}
    segments.create(organisation=organisation, name="Buyers", rules=rule)
    for action, told in (
        ("tag", {"name": "Buyers"}),
        ("untag", {"name": "Buyers"}),
        ("tag", {"name": ""}),
        ("set", {"field": "diet", "label": "Diet", "value": "Meat"}),
        ("set", {"field": "diet", "label": "Diet", "value": None}),
        ("set", {"field": "card", "label": "Card", "value": "7"}),
        ("set", {"field": "gone", "label": "Gone", "value": "7"}),
    ):
        with pytest.raises((ValidationError, Conflict)):
            start(organisation, action, **told)
    assert not BulkJob.objects.for_organisation(organisation).exists()


def test_a_field_that_goes_meanwhile_fails_the_rest_and_says_why(
    organisation: Organisation,
) -> None:
    people(organisation, 4)
    field = rows.field(organisation, label="Diet")
    job = start(organisation, "set", field="diet", label="Diet", value="Vegan")
    one_batch(job)
    custom_fields.remove(field=field, force=True)
    job = work(job)
    assert (job.status, job.changed, job.failed) == ("completed", 3, 1)
    services.undo(job=job)
    job = work(job)
    assert (job.status, job.undone, job.kept) == ("undone", 0, 3)


def test_a_batch_costs_the_same_for_many(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(services, "BATCH", 100)
    people(organisation, 30)
    rows.field(organisation, label="Diet")
    for told in ({"name": "VIP"}, {"field": "diet", "label": "Diet", "value": "Vegan"}):
        job = start(organisation, "tag" if "name" in told else "set", **told)
        with django_assert_max_num_queries(28):
            one_batch(job)


def test_old_jobs_are_forgotten(organisation: Organisation, time_machine: Any) -> None:
    time_machine.move_to(timezone.now())
    people(organisation, 2)
    job = work(start(organisation, "tag", name="VIP"))
    time_machine.shift(services.KEPT.total_seconds() - 60)
    services.prune()
    assert BulkJob.objects.for_organisation(organisation).get() == job
    time_machine.shift(120)
    services.prune()
    assert not BulkJob.objects.for_organisation(organisation).exists()
    assert len(tagged(organisation)) == 2
