"""What imports, workflows and other systems change stands in the history, once, as their doing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contacts import services
from contacts.history import reading
from contacts.history.models import ContactChange
from contacts.history.reading import Change
from contacts.models import Contact
from crm import actors
from crm.actors import Actor, Kind
from customfields import services as custom_fields
from imports.models import Import
from imports.undoing.service import undo
from organisations.models import Organisation
from tests.imports.running import report, write_csv
from tests.integrations import shopify
from tests.integrations.conftest import Shop, shop
from tests.workflows import running as workflows

pytestmark = pytest.mark.django_db

__all__ = ["shop"]  # a fixture

HEADERS = ["E-mail", "Phone", "First name", "City", "Tags", "Diet"]


def history(contact: Contact, **asked: Any) -> list[Change]:
    return reading.of(contact, **asked)[0]


@pytest.fixture
def imported(organisation: Organisation, tmp_path: Path) -> Any:
    custom_fields.define(organisation=organisation, label="Diet", type="Text")

    def bring(*rows: list[str], name: str = "guests.csv") -> Import:
        path = write_csv(tmp_path / name, HEADERS, list(rows))
        told = report("import_contacts", path, organisation)
        assert told["failed"] == 0
        return Import.objects.for_organisation(organisation).get(pk=told["importId"])

    return bring


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    made, _created = services.upsert(
        organisation=organisation,
        values={"email_address": "jane@example.com", "tags": ["VIP"], "first_name": "Jane"},
    )
    return made


ROW = ["jane@example.com", "07700 900123", "Joan", "Leeds", "VIP,Press", "Fish"]


def test_an_import_tells_what_it_changed_without_writing_it_twice(
    jane: Contact, imported: Any
) -> None:
    run = imported(ROW)

    change = history(jane)[0]
    assert ContactChange.objects.across_organisations().count() == 1  # that she was created
    assert change.actor == Actor(Kind.IMPORT, run.pk, "guests.csv")
    addresses = change.changes["addresses"]
    assert (addresses[0], addresses[1][0]["city"]) == ([], "Leeds")
    assert change.changes == {
        "phoneNumber": [None, "07700 900123"],
        "phoneNumberCountryCode": [None, "44"],
        "firstName": ["Jane", "Joan"],
        "name": ["Jane", "Joan"],
        "addresses": addresses,
        "tags": [[], ["Press"]],
        "customFields.diet": [None, "Fish"],
    }
    for field in change.changes.keys() - {"phoneNumberCountryCode"}:  # which only goes along
        assert change in history(jane, field=field, kind=Kind.IMPORT)
    assert history(jane, field="lastName", kind=Kind.IMPORT) == []
    assert history(jane, kind=Kind.STAFF) == []
    assert reading.one(jane, change.key) == change


def test_what_an_import_changed_is_put_back_by_value(jane: Contact, imported: Any) -> None:
    imported(ROW)
    services.put_back(contact=jane, change=history(jane)[0])

    jane.refresh_from_db()
    assert (jane.first_name, jane.phone_number, jane.addresses.count()) == ("Jane", None, 0)
    assert [tag.name for tag in jane.tags.all()] == ["VIP"]
    assert not jane.custom_field_values.exists()


def test_a_contact_that_an_import_created(organisation: Organisation, imported: Any) -> None:
    run = imported(ROW, ["b@example.com", "", "Ben", "", "", ""])
    for contact in Contact.objects.for_organisation(organisation):
        (change,) = history(contact)
        assert (change.action, change.actor.id) == ("created", run.pk)
    later, _created = services.upsert(
        organisation=organisation, values={"email_address": "c@example.com"}
    )
    assert [one.actor.kind for one in history(later)] == [Kind.SYSTEM]


def test_an_undo_is_told_too(jane: Contact, imported: Any) -> None:
    run = imported(ROW, ["jane@example.com", "", "June", "", "", ""])
    undo(run=run)

    undone, *rest = history(jane)
    assert (undone.action, undone.actor.id) == ("undone", run.pk)
    assert undone.changes["firstName"] == ["June", "Jane"]
    assert undone.changes["tags"] == [["Press"], []]
    assert [one.action for one in rest] == ["changed", "created"]
    assert history(jane, limit=1) == [undone]
    assert reading.of(jane, before=undone.cursor)[0] == rest


def test_a_row_that_the_service_writes_for_an_import_is_told_once(
    organisation: Organisation, jane: Contact, imported: Any
) -> None:
    other, _created = services.upsert(
        organisation=organisation, values={"email_address": "old@example.com"}
    )
    services.merge(survivor=jane, absorbed=other)
    run = imported(["old@example.com", "", "Joan", "", "", ""])

    changes = history(jane, field="firstName", kind=Kind.IMPORT)
    assert [(one.changes["firstName"], one.actor.id) for one in changes] == [
        (["Jane", "Joan"], run.pk)
    ]


def test_redacting_erases_what_imports_tell(jane: Contact, imported: Any) -> None:
    imported(ROW)
    services.redact(contact=jane)
    assert all(not change.changes for change in history(jane))


def test_activities_bring_contacts_in_their_imports_name(
    organisation: Organisation, tmp_path: Path
) -> None:
    path = write_csv(
        tmp_path / "stays.csv",
        ["E-mail", "Type", "Source", "happenedAt", "spend", "currencyCode"],
        [["new@example.com", "Purchase", "till", "2026-01-01T10:00:00Z", "1200", "GBP"]],
    )
    assert report("import_activities", path, organisation)["failed"] == 0

    (change,) = history(Contact.objects.for_organisation(organisation).get())
    assert (change.action, change.actor.name) == ("created", "stays.csv")


def test_a_workflow_is_the_one(api: Any, organisation: Organisation) -> None:
    pk = workflows.made(api, "contact_created", workflows.add_tag("Greeted"))
    contact = Contact.objects.get(organisation=organisation, pk=workflows.contact(api, "jane"))
    workflows.work()

    tagged, created = history(contact)
    assert tagged.actor == Actor(Kind.WORKFLOW, pk, "When contact_created")
    assert tagged.changes == {"tags": [[], ["Greeted"]]}
    assert created.actor.kind == Kind.KEY
    assert actors.current() == actors.SYSTEM


def test_another_system_is_the_one(shop: Shop) -> None:
    shop.tell("customers/create", shopify.customer())

    changes = history(shop.contacts().get())
    by = Actor(Kind.INTEGRATION, shop.connection.pk, str(shop.connection))
    assert changes
    assert {change.actor for change in changes} == {by}
    assert actors.current() == actors.SYSTEM
