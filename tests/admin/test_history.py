"""The history of a contact in the admin, and putting values back from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import consent, services
from contacts.admin.history import Changes
from contacts.history import reading
from contacts.models import Contact
from crm import actors
from crm.actors import Actor, Kind
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.test_query_counts import ASKING

pytestmark = pytest.mark.django_db


def address(contact: Contact, query: str = "") -> str:
    return reverse("admin:contacts_contact_history", args=[contact.pk]) + query


def ask_address(contact: Contact, field: str, which: int = 0) -> str:
    change = reading.of(contact, field=field)[0][which]
    args = [contact.pk, change.key]
    return reverse("admin:contacts_contact_put_back", args=args) + f"?field={field}"


@pytest.fixture
def jane(organisation: Organisation) -> Contact:
    made = rows.contact(organisation, name="", first_name="Jane", tags=["VIP"])
    with actors.acting(Actor(Kind.COMMAND, name="shell")):
        services.update(contact=made, values={"first_name": "Joan", "dob": None, "tags": ["New"]})
    return made


def test_the_form_writes_in_the_name_of_who_is_signed_in(owner: Client, jane: Contact) -> None:
    page = reverse("admin:contacts_contact_change", args=[jane.pk])
    form = owner.get(page).context["adminform"].form
    data = {name: value for name, value in form.initial.items() if isinstance(value, str)}
    inline = {"addresses-TOTAL_FORMS": "0", "addresses-INITIAL_FORMS": "0"}
    changed = {"first_name": "June", "permission_email": "unsubscribed"}
    assert owner.post(page, {**data, **inline, **changed}).status_code == 302

    changes = reading.of(jane)[0][:2]
    assert {one.actor.kind for one in changes} == {Kind.STAFF}
    assert {one.actor.id for one in changes} == {int(owner.session["_auth_user_id"])}
    # The thread goes on to other people's requests.
    assert actors.current() == actors.SYSTEM


def test_it_says_who_changed_what(owner: Client, jane: Contact) -> None:
    text = owner.get(address(jane)).content.decode()

    for said in ("shell", "Command line", "First name", "Jane", "Joan", "VIP", "New", "Created"):
        assert said in text
    assert "Put back" in text


def test_it_is_filtered_by_field_and_by_who(owner: Client, jane: Contact) -> None:
    consent.set_permission(contact=jane, channel="email", status="subscribed")

    def found(query: str) -> list[set[str]]:
        items = owner.get(address(jane, query)).context["items"]
        return [set(item.change.changes) for item in items]

    assert found("?field=permissions") == [{"permissions"}]
    assert found("?who=command") == [{"firstName", "name", "tags"}]
    assert found("?who=staff") == []
    assert "No change fits" in owner.get(address(jane, "?who=staff")).content.decode()
    assert owner.get(address(jane, "?who=nobody")).status_code == 404
    for nonsense in ("?before=nowhere", "?field=%00"):
        assert owner.get(address(jane, nonsense)).status_code == 404


def test_putting_a_value_back_asks_first(owner: Client, jane: Contact) -> None:
    services.update(contact=jane, values={"first_name": "June"})
    ask = ask_address(jane, "firstName", 1)

    question = owner.get(ask).content.decode()
    assert "Now: <strong>June</strong>" in question
    assert "Then: <strong>Jane</strong>" in question
    assert "changed again after this change, which made it Joan" in question
    jane.refresh_from_db()
    assert jane.first_name == "June"

    answer = owner.post(ask, {"confirmed": "yes"}, follow=True)
    jane.refresh_from_db()
    assert jane.first_name == "Jane"
    assert "Put back: First name." in answer.content.decode()
    latest = reading.of(jane)[0][0]
    assert (latest.action, latest.actor.kind) == ("restored", Kind.STAFF)


def test_a_refusal_is_shown(owner: Client, jane: Contact, organisation: Organisation) -> None:
    former = jane.email_address
    services.update(contact=jane, values={"email_address": "new@example.com"})
    ask = ask_address(jane, "emailAddress")
    rows.contact(organisation, email_address=former)

    answer = owner.post(ask, {"confirmed": "yes"}, follow=True)
    assert "has this e-mail address or phone number already" in answer.content.decode()


def test_what_is_so_already_has_no_button(owner: Client, jane: Contact) -> None:
    services.put_back(contact=jane, change=reading.of(jane)[0][0])
    put_back, changed, created = owner.get(address(jane)).context["items"]

    assert all(line.put_back for line in put_back.lines)
    assert not any(line.put_back for line in (*changed.lines, *created.lines))


def redacted(jane: Contact) -> None:
    services.redact(contact=jane)


def merged(jane: Contact) -> None:
    services.merge(survivor=rows.contact(jane.organisation), absorbed=jane)


@pytest.mark.parametrize("make", [redacted, merged])
def test_nothing_is_put_back_on_who_is_gone(
    owner: Client, jane: Contact, make: Callable[[Contact], None]
) -> None:
    ask = ask_address(jane, "firstName")
    make(jane)

    assert owner.post(ask, {"confirmed": "yes"}).status_code == 404
    page = owner.get(address(jane), follow=True)
    assert page.status_code == 200
    assert "Put back" not in page.content.decode()


def test_the_history_of_who_was_merged_is_the_survivors(owner: Client, jane: Contact) -> None:
    other = rows.contact(jane.organisation)
    services.merge(survivor=other, absorbed=jane)

    page = owner.get(address(jane), follow=True)
    assert page.redirect_chain[0][0] == address(other)
    text = page.content.decode()
    assert "was merged into this contact" in text
    assert f"of Joan (#{jane.pk}), merged into this contact" in text


def test_who_may_only_read_puts_nothing_back(
    staff_of: Callable[..., Client], organisation: Organisation, jane: Contact
) -> None:
    reader = staff_of(organisation, roles.READ_ONLY)

    assert "Put back" not in reader.get(address(jane)).content.decode()
    ask = ask_address(jane, "firstName")
    assert reader.post(ask, {"confirmed": "yes"}).status_code == 404


def test_another_organisations_history_is_not_there(
    staff_of: Callable[..., Client], other_organisation: Organisation, jane: Contact
) -> None:
    stranger = staff_of(other_organisation)

    assert stranger.get(address(jane)).status_code == 404
    ask = ask_address(jane, "firstName")
    assert stranger.post(ask, {"confirmed": "yes"}).status_code == 404


def test_it_costs_the_same_for_a_long_one(owner: Client, jane: Contact) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner.get(address(jane)).status_code == 200
        return len(captured)

    queries()
    before = queries()
    # Who asks; the contact; whatever was merged into it; five tables of history; what custom
    # fields are called, the values, addresses and tags that there are now.
    assert before <= ASKING + 1 + 1 + 5 + 4
    for number in range(60):
        services.update(contact=jane, values={"last_name": f"Doe {number}"})
    assert queries() == before
    page = owner.get(address(jane))
    older = owner.get(address(jane, page.context["older"]))
    first = [item.change for item in page.context["items"]]
    second = [item.change for item in older.context["items"]]
    assert first + second == reading.of(jane, limit=100)[0]


def test_the_timeline_tells_of_changes(owner: Client, jane: Contact) -> None:
    request: Any = owner.get(address(jane)).wsgi_request
    values = {"last_name": "Doe", "dob": "1990-02-01", "kind": "business", "timezone": "Asia/Tokyo"}
    services.update(contact=jane, values=values)

    latest, tagged, created = Changes().entries(request, jane, None, 10)
    assert latest.title == "5 values changed"
    assert "Kind: Person → Business<br>Last name: — → Doe" in latest.detail
    assert f'<a class="rg-link" href="{address(jane)}">and 2 more</a>' in latest.detail
    assert (tagged.title, tagged.by) == ("3 values changed", "shell")
    assert "Tags: − VIP, + New" in tagged.detail
    assert created.title == "Created"
    assert Changes().entries(request, jane, tagged.cursor, 10) == [created]
