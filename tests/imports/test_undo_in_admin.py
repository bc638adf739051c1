"""The button that undoes an import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import services
from contacts.models import Contact
from imports.models import Import
from imports.undoing import admin as screens
from organisations import roles
from organisations.models import Organisation
from tests.admin.conftest import signed_in
from tests.admin.rows import member
from tests.imports.running import report, write_csv
from tests.imports.snapshots import everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(organisation: Organisation, tmp_path: Path) -> Import:
    services.upsert(
        organisation=organisation, values={"email_address": "known@x.com", "first_name": "Old"}
    )
    rows = [["known@x.com", "New"], ["a@x.com", "Ann"], ["b@x.com", "Bob"]]
    path = write_csv(tmp_path / "people.csv", ["E-mail", "First name"], rows)
    told = report("import_contacts", path, organisation)
    found: Import = Import.objects.for_organisation(organisation).get(pk=told["importId"])
    return found


def client(organisation: Organisation, role: str = roles.OWNER) -> Client:
    return signed_in(member(organisation, role).user)


def page(run: Import) -> str:
    return reverse("admin:imports_import_change", args=[run.pk])


def undo_page(run: Import) -> str:
    return reverse("admin:imports_import_undo_import", args=[run.pk])


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def names(organisation: Organisation) -> set[str]:
    contacts = Contact.objects.for_organisation(organisation)
    return set(contacts.values_list("first_name", flat=True))


def test_it_says_what_will_go_and_asks(organisation: Organisation, run: Import) -> None:
    owner = client(organisation)
    before = everything(organisation)

    assert undo_page(run) in owner.get(page(run)).content.decode()
    answer = owner.get(undo_page(run))

    text = answer.content.decode()
    assert "Undo the import of people.csv?" in text
    assert "Deleted, because this import created them: 2 contacts." in text
    assert "As they were before, because this import changed them: 1 contact." in text
    assert everything(organisation) == before


def test_confirmed_it_undoes_and_says_so(organisation: Organisation, run: Import) -> None:
    owner = client(organisation)

    answer = owner.post(undo_page(run), {"confirmed": "yes"}, follow=True)

    assert answer.redirect_chain == [(page(run), 302)]
    assert said(answer) == ["The import is undone. Deleted: 2 contacts. As before: 1 contact."]
    assert names(organisation) == {"Old"}
    assert LogEntry.objects.filter(object_id=str(run.pk)).count() == 1


def test_what_was_changed_since_is_shown_with_the_reason(
    organisation: Organisation, run: Import
) -> None:
    ann = Contact.objects.for_organisation(organisation).get(first_name="Ann")
    services.tag(contacts=ann, name="VIP")

    answer = client(organisation).post(undo_page(run), {"confirmed": "yes"}, follow=True)

    assert said(answer)[1] == "1 row stays as it is: see below."
    text = answer.content.decode()
    assert "(&#x27;undone&#x27;" not in text
    assert f"contact {ann.pk} (Ann)</a>: It was changed since: its tags." in text
    assert reverse("admin:contacts_contact_change", args=[ann.pk]) in text
    services.untag(contacts=ann, name="VIP")
    client(organisation).post(undo_page(run), {"confirmed": "yes"})
    assert names(organisation) == {"Old"}


def test_a_second_time_it_says_that_it_is_done(organisation: Organisation, run: Import) -> None:
    owner = client(organisation)
    owner.post(undo_page(run), {"confirmed": "yes"})

    answer = owner.post(undo_page(run), {"confirmed": "yes"}, follow=True)

    assert said(answer)[-1] == f"Import {run.pk} was undone already."


def test_a_browser_does_not_wait_for_ever(
    organisation: Organisation, run: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "SECONDS", -1)

    answer = client(organisation).post(undo_page(run), {"confirmed": "yes"}, follow=True)

    assert said(answer) == [
        "There is more than can be undone at once. There was nothing to do. Undo it again to go on."
    ]
    assert Import.objects.for_organisation(organisation).get().status == Import.Status.UNDOING
    monkeypatch.undo()
    client(organisation).post(undo_page(run), {"confirmed": "yes"})
    assert names(organisation) == {"Old"}


@pytest.mark.parametrize("role", [roles.STAFF, roles.READ_ONLY])
def test_who_may_not_delete_contacts_may_not_undo(
    organisation: Organisation, run: Import, role: str
) -> None:
    someone = client(organisation, role)
    before = everything(organisation)

    assert undo_page(run) not in someone.get(page(run)).content.decode()
    for answer in (
        someone.get(undo_page(run)),
        someone.post(undo_page(run), {"confirmed": "yes"}),
    ):
        assert answer.status_code == 403
    assert everything(organisation) == before


def test_another_organisations_import_is_not_there(
    organisation: Organisation, other_organisation: Organisation, run: Import
) -> None:
    answer = client(other_organisation).post(undo_page(run), {"confirmed": "yes"})

    assert answer.status_code == 404
    assert names(organisation) == {"New", "Ann", "Bob"}


def test_the_cost_of_asking(organisation: Organisation, run: Import) -> None:
    owner = client(organisation)
    owner.get(page(run))

    with CaptureQueriesContext(connection) as context:
        owner.get(undo_page(run))

    # Session, user, organisations, membership, permissions; the import and its two counts.
    assert len(context) <= 12
