"""Who changed what of a contact: written with every write, read from all that keep some of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from contacts import consent, services
from contacts.history import reading
from contacts.history.models import ContactChange
from contacts.history.reading import Change
from contacts.models import Contact, PermissionChange
from crm import actors
from crm.actors import Actor, Kind
from crm.errors import Conflict
from customfields import services as custom_fields
from organisations.models import Organisation

pytestmark = pytest.mark.django_db


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    made, _created = services.upsert(
        organisation=organisation,
        values={"email_address": "jane@example.com", "first_name": "Jane", "tags": ["VIP"]},
    )
    return made


def history(contact: Contact, **asked: Any) -> list[Change]:
    return reading.of(contact, **asked)[0]


def latest(contact: Contact) -> Change:
    return history(contact)[0]


def told(contact: Contact) -> list[tuple[str, dict[str, Any]]]:
    return [(one.action, dict(one.changes)) for one in history(contact)]


def test_a_new_contact_begins_with_what_was_given(organisation: Organisation) -> None:
    custom_fields.define(organisation=organisation, label="Diet", type="Text", default="Fish")
    contact, _created = services.upsert(
        organisation=organisation,
        values={
            "email_address": "a@example.com",
            "phone_number": "07700 900123",
            "dob": date(1990, 2, 1),
            "addresses": [{"city": "Leeds"}],
            "tags": ["VIP"],
        },
    )

    (change,) = history(contact)
    assert change.action == "created"
    address = change.changes["addresses"][1][0]
    assert address["city"] == "Leeds"
    assert change.changes == {
        "emailAddress": [None, "a@example.com"],
        "phoneNumber": [None, "07700 900123"],
        "phoneNumberCountryCode": [None, "44"],
        "dob": [None, "1990-02-01"],
        "addresses": [[], [address]],
        "tags": [[], ["VIP"]],
        "customFields.diet": [None, "Fish"],
    }


def test_an_update_says_from_what_to_what(organisation: Organisation, jane: Contact) -> None:
    custom_fields.define(
        organisation=organisation, label="Likes", type="Multi select", options=["Golf", "Spa"]
    )
    values: dict[str, Any] = {
        "first_name": "Joan",
        "tags": ["Press"],
        "customFields": {"likes": "Spa,Golf"},
    }
    services.update(contact=jane, values=values)

    assert latest(jane).changes == {
        "firstName": ["Jane", "Joan"],
        "name": ["Jane", "Joan"],
        "tags": [["VIP"], ["Press"]],
        "customFields.likes": [None, "Golf,Spa"],
    }
    services.update(contact=jane, values=values)
    assert len(history(jane)) == 2  # nothing differed


def test_a_batch_and_a_tag_for_many(organisation: Organisation, jane: Contact) -> None:
    results = services.upsert_batch(
        organisation=organisation,
        rows=[
            {"email_address": "jane@example.com", "last_name": "Doe", "tags": ["VIP", "New"]},
            {"email_address": "new@example.com"},
        ],
    )
    new = Contact.objects.for_organisation(organisation).get(pk=results[1].id)
    everyone = Contact.objects.for_organisation(organisation)
    services.tag(contacts=everyone, name="New")
    services.untag(contacts=everyone, name="new")

    assert told(jane)[:2] == [
        ("changed", {"tags": [["New"], []]}),  # it had it already when all were tagged
        (
            "changed",
            {"lastName": ["", "Doe"], "name": ["Jane", "Jane Doe"], "tags": [[], ["New"]]},
        ),
    ]
    assert told(new) == [
        ("changed", {"tags": [["New"], []]}),
        ("changed", {"tags": [[], ["New"]]}),
        ("created", {"emailAddress": [None, "new@example.com"]}),
    ]


def test_custom_values_alone_and_a_field_that_goes(
    organisation: Organisation, jane: Contact
) -> None:
    field = custom_fields.define(
        organisation=organisation, label="Room", type="Select", options=[{"value": "sea"}]
    )
    custom_fields.set_values(contact=jane, values={"room": "sea"})
    custom_fields.change(field=field, values={"options": [{"value": "sea", "label": "Sea side"}]})
    custom_fields.set_values(contact=jane, values={"room": None})
    custom_fields.remove(field=field)

    assert [change for _action, change in told(jane)][:2] == [
        {"customFields.room": ["sea", None]},
        {"customFields.room": [None, "sea"]},
    ]


def test_permissions_are_part_of_it(jane: Contact) -> None:
    consent.set_permission(contact=jane, channel="email", status="subscribed", source="form")

    change = latest(jane)
    assert change.changes == {"permissions": [{"email": "unknown"}, {"email": "subscribed"}]}
    assert change.note == "form"
    assert history(jane, field="permissions") == [change]


# Who.


def test_a_key_is_the_one_and_nobody_after_it(api: Any, jane: Contact) -> None:
    api.patch(f"/contacts/{jane.pk}", {"firstName": "Joan"})

    actor = latest(jane).actor
    assert (actor.kind, actor.name) == (Kind.KEY, "test")
    # The thread goes on to other people's requests.
    assert actors.current() == actors.SYSTEM


def test_the_unsubscribe_link_is_the_contact(jane: Contact, client: Client) -> None:
    url = consent.unsubscribe_url(jane, "email")
    client.post(url[url.index("/", 8) :])

    assert latest(jane).actor == Actor(Kind.CONTACT, jane.pk)
    assert PermissionChange.objects.across_organisations().get().actor_kind == Kind.CONTACT


def test_a_name_longer_than_its_column_is_cut(jane: Contact) -> None:
    with actors.acting(Actor(Kind.IMPORT, 1, "n" * 300)):
        services.update(contact=jane, values={"first_name": "Joan"})
    assert latest(jane).actor.name == "n" * 255


# Merged, redacted, deleted.


def test_a_merge_joins_two_histories_and_unmerging_parts_them(
    organisation: Organisation, jane: Contact
) -> None:
    custom_fields.define(organisation=organisation, label="Diet", type="Text")
    other, _created = services.upsert(
        organisation=organisation,
        values={
            "phone_number": "07700 900123",
            "last_name": "Doe",
            "tags": ["Press"],
            "addresses": [{"city": "Leeds"}],
            "customFields": {"diet": "Fish"},
        },
    )
    alone = told(jane)
    services.merge(survivor=jane, absorbed=other)

    merged = latest(jane)
    assert (merged.action, merged.other) == ("merged", other.pk)
    assert merged.changes["lastName"] == ["", "Doe"]
    assert merged.changes["phoneNumber"] == [None, "07700 900123"]
    assert merged.changes["tags"] == [[], ["Press"]]
    assert merged.changes["customFields.diet"] == [None, "Fish"]
    assert [one["city"] for one in merged.changes["addresses"][1]] == ["Leeds"]
    assert [(one.contact, one.action) for one in history(jane)] == [
        (jane.pk, "merged"),
        (other.pk, "created"),
        (jane.pk, "created"),
    ]

    other.refresh_from_db()
    services.unmerge(survivor=jane, absorbed=other)
    back = dict(latest(jane).changes)
    assert latest(jane).action == "unmerged"
    assert {name: pair[::-1] for name, pair in back.items()} == merged.changes
    assert [one[0] for one in told(jane)] == ["unmerged", "merged", "created"]
    assert told(jane)[2:] == alone
    assert [one[0] for one in told(other)] == ["released", "absorbed", "created"]
    assert told(other)[0][1]["phoneNumber"] == [None, "07700 900123"]


def test_an_identifier_taken_from_a_merged_contact_is_told_of_both(
    organisation: Organisation, jane: Contact
) -> None:
    other, _created = services.upsert(
        organisation=organisation, values={"email_address": "old@example.com"}
    )
    services.merge(survivor=jane, absorbed=other)
    services.update(contact=jane, values={"email_address": "old@example.com"})

    of_both = {one.contact: one.changes["emailAddress"] for one in history(jane)[:2]}
    assert of_both == {
        jane.pk: ["jane@example.com", "old@example.com"],
        other.pk: ["old@example.com", None],
    }


def test_redacting_erases_the_values_and_keeps_who_and_when(jane: Contact) -> None:
    with actors.acting(Actor(Kind.STAFF, 7, "Anna")):
        services.update(contact=jane, values={"last_name": "Secret"})
    services.redact(contact=jane)

    assert told(jane) == [("redacted", {}), ("changed", {}), ("created", {})]
    assert history(jane)[1].actor.name == "Anna"
    rows = ContactChange.objects.across_organisations().values_list("changes", flat=True)
    assert "Secret" not in str(list(rows))


def test_deleting_takes_it_along(jane: Contact) -> None:
    services.delete(contact=jane)
    assert not ContactChange.objects.across_organisations().exists()


# Reading.


def test_pages_follow_one_another_without_a_gap(
    jane: Contact, django_assert_num_queries: Any
) -> None:
    for number in range(7):
        services.update(contact=jane, values={"last_name": f"Doe {number}"})
        status = "subscribed" if number % 2 else "unsubscribed"
        consent.set_permission(contact=jane, channel="sms", status=status)
    whole = history(jane, limit=100)
    assert len(whole) == 15

    paged: list[Change] = []
    before = None
    while True:
        # Whatever was merged into it; services, permissions; what imports changed, created, undid.
        with django_assert_num_queries(6):
            page, before = reading.of(jane, before=before, limit=4)
        paged += page
        if before is None:
            break
    assert paged == whole


def test_of_one_field_and_by_one_kind_of_actor(api: Any, jane: Contact) -> None:
    services.update(contact=jane, values={"first_name": "Joan"})
    api.patch(f"/contacts/{jane.pk}", {"firstName": "June"})
    api.patch(f"/contacts/{jane.pk}", {"lastName": "Doe"})

    firsts = [one.changes["firstName"] for one in history(jane, field="firstName")]
    assert firsts == [["Joan", "June"], ["Jane", "Joan"], [None, "Jane"]]
    (last,) = history(jane, field="lastName", kind=Kind.KEY)
    assert last.changes["lastName"] == ["", "Doe"]
    assert history(jane, field="lastName", kind=Kind.STAFF) == []


def test_nobody_else_sees_it(jane: Contact, other_organisation: Organisation) -> None:
    jane.organisation_id = other_organisation.pk
    assert history(jane) == []


# Putting back.


def test_putting_one_value_back(jane: Contact) -> None:
    services.update(contact=jane, values={"first_name": "Joan", "last_name": "Doe"})
    services.put_back(contact=jane, change=latest(jane), names=["firstName"])

    jane.refresh_from_db()
    assert (jane.first_name, jane.last_name, jane.name) == ("Jane", "Doe", "Jane Doe")
    assert told(jane)[0] == (
        "restored",
        {"firstName": ["Joan", "Jane"], "name": ["Joan Doe", "Jane Doe"]},
    )


def test_a_phone_comes_back_as_it_was_read(jane: Contact) -> None:
    french: dict[str, Any] = {"phone_number": "01 23 45 67 89", "phone_number_country_code": "33"}
    services.update(contact=jane, values=french)
    services.update(contact=jane, values={**french, "phone_number": "01 23 45 67 80"})
    services.put_back(contact=jane, change=latest(jane), names=["phoneNumber"])

    jane.refresh_from_db()
    assert jane.phone_number_e164 == "+33123456789"


def test_tags_come_back_whoever_put_them_on_and_others_stay(jane: Contact) -> None:
    services.tag(contacts=jane, name="By workflow", kind="workflow")
    put_on = latest(jane)
    services.update(contact=jane, values={"tags": ["Press"]})
    replaced = latest(jane)
    services.put_back(contact=jane, change=put_on)
    services.put_back(contact=jane, change=replaced)

    assert {tag.name for tag in jane.tags.all()} == {"VIP"}


def refused_for_redacted(jane: Contact) -> None:
    services.redact(contact=jane)


def refused_for_merged(jane: Contact) -> None:
    other, _created = services.upsert(
        organisation=jane.organisation, values={"email_address": "o@example.com"}
    )
    services.merge(survivor=other, absorbed=jane)


def refused_for_taken(jane: Contact) -> None:
    services.upsert(organisation=jane.organisation, values={"email_address": "jane@example.com"})


@pytest.mark.parametrize("make", [refused_for_redacted, refused_for_merged, refused_for_taken])
def test_what_stands_against_it(jane: Contact, make: Callable[[Contact], None]) -> None:
    services.update(contact=jane, values={"email_address": "new@example.com"})
    change = latest(jane)
    make(jane)
    before = ContactChange.objects.across_organisations().count()

    with pytest.raises(Conflict):
        services.put_back(contact=jane, change=change)
    assert ContactChange.objects.across_organisations().count() == before


def test_rules_of_today_hold(organisation: Organisation, jane: Contact) -> None:
    field = custom_fields.define(organisation=organisation, label="Seat", type="Number")
    custom_fields.set_values(contact=jane, values={"seat": 5})
    custom_fields.set_values(contact=jane, values={"seat": 1})
    custom_fields.change(field=field, values={"maximum": 3})

    with pytest.raises(ValidationError) as refused:
        services.put_back(contact=jane, change=latest(jane))
    assert list(refused.value.message_dict) == ["custom_fields.seat"]


def test_a_beginning_and_a_permission_cannot_be_put_back(jane: Contact) -> None:
    consent.set_permission(contact=jane, channel="email", status="unsubscribed")
    for change in history(jane):
        with pytest.raises(ValidationError):
            services.put_back(contact=jane, change=change)


def test_a_change_is_found_again_by_its_key(jane: Contact, organisation: Organisation) -> None:
    consent.set_permission(contact=jane, channel="email", status="unsubscribed")
    other, _created = services.upsert(
        organisation=organisation, values={"email_address": "o@example.com"}
    )
    for change in history(jane):
        assert reading.one(jane, change.key) == change
        assert reading.one(other, change.key) is None
