"""Contacts in the admin: the form, the list, and what is done to one or to many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from contacts import breakdown, services
from contacts.duplicates.models import DuplicatePair
from contacts.models import Contact, Tag
from organisations import roles
from organisations.models import Organisation
from rewards import services as rewards
from tests.admin import rows

pytestmark = pytest.mark.django_db

LIST = reverse("admin:contacts_contact_changelist")
ADD = reverse("admin:contacts_contact_add")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:contacts_contact_{name}", args=args)


def typed(**values: Any) -> dict[str, Any]:
    """A filled form."""
    return {
        "kind": "person",
        "addresses-TOTAL_FORMS": "0",
        "addresses-INITIAL_FORMS": "0",
        **values,
    }


def address(index: int = 0, **values: str) -> dict[str, str]:
    return {f"addresses-{index}-{name}": value for name, value in values.items()}


def messages_of(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def act(client: Client, action: str, *contacts: Contact, **more: Any) -> Any:
    chosen = {"action": action, "_selected_action": [str(one.pk) for one in contacts]}
    return client.post(LIST, {**chosen, **more}, follow=True)


def current(organisation: Organisation) -> set[int]:
    contacts = Contact.objects.for_organisation(organisation).current()
    return set(contacts.values_list("pk", flat=True))


# The form


def test_a_contact_is_added_with_all_that_the_form_has(
    owner: Client, organisation: Organisation
) -> None:
    rows.field(organisation, label="Nickname", type="Text")
    rows.field(organisation, label="Visits", type="Number", group="Habits")
    rows.field(organisation, label="Interests", type="Multi select", options=["Spa", "Golf"])
    vip, _created = services.create_tag(organisation=organisation, name="VIP")
    shown = owner.get(ADD)
    assert [str(fieldset.name) for fieldset in shown.context["adminform"]][1:] == [
        "May be sent",
        "Custom fields",
        "Habits",
    ]
    form = typed(
        first_name="Jane",
        last_name="Doe",
        email_address=" Jane@Example.com ",
        phone_number="07700 900123",
        dob="07/04/1980",
        tags=[str(vip.pk)],
        new_tags="Newsletter, Golf club",
        custom_nickname="JD",
        custom_visits="4.5",
        custom_interests=["Golf", "Spa"],
        **address(line1="1 High Street", city="Leeds", country="GB"),
    )
    form["addresses-TOTAL_FORMS"] = "1"
    answer = owner.post(ADD, form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    contact = Contact.objects.for_organisation(organisation).get()
    assert (contact.name, contact.email_address) == ("Jane Doe", "Jane@Example.com")
    assert contact.phone_number_e164 == "+447700900123"
    assert str(contact.dob) == "1980-04-07"
    assert {tag.name for tag in contact.tags.all()} == {"VIP", "Newsletter", "Golf club"}
    assert [str(one) for one in contact.addresses.all()] == ["1 High Street, Leeds, GB"]
    values = {one.field.name for one in contact.custom_field_values.select_related("field")}
    assert values == {"nickname", "visits", "interests"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"email_address": "not an address"}, "email_address"),
        ({"phone_number": "12"}, "phone_number"),
        ({"phone_number": "1", "phone_number_country_code": "999"}, "phone_number_country_code"),
        ({}, "email_address"),
        ({"email_address": "a@example.com", "dob": "01/01/2999"}, "dob"),
        ({"email_address": "a@example.com", "custom_age": "many"}, "custom_age"),
        ({"email_address": "a@example.com", "custom_age": "7"}, "custom_age"),
        ({"email_address": "a@example.com", "new_tags": "x" * 200}, "new_tags"),
    ],
)
def test_what_is_refused_is_told_beside_the_field(
    owner: Client, organisation: Organisation, given: dict[str, str], field: str
) -> None:
    rows.field(organisation, label="Age", type="Number", minimum=18)
    answer = owner.post(ADD, typed(**given))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not current(organisation)


def test_a_bad_address_is_told_in_its_row(owner: Client, organisation: Organisation) -> None:
    form = typed(
        email_address="a@example.com",
        **address(0, line1="Fine", country="GB"),
        **address(1, line1="x" * 300, country="GB"),
    )
    form["addresses-TOTAL_FORMS"] = "2"
    answer = owner.post(ADD, form)
    (formset,) = [one.formset for one in answer.context["inline_admin_formsets"]]
    assert "line1" in formset.forms[1].errors
    assert not current(organisation)


def test_an_identifier_that_another_has_names_that_contact(
    owner: Client, organisation: Organisation
) -> None:
    there = rows.contact(organisation, email_address="jane@example.com")
    answer = owner.post(ADD, typed(email_address="JANE@example.com"))
    assert answer.status_code == 200
    assert page("change", there.pk) in answer.content.decode()
    assert current(organisation) == {there.pk}


def test_what_somebody_else_saved_meanwhile_is_not_overwritten_unseen(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(organisation, first_name="Jane", last_name="Doe", name="")
    shown = owner.get(page("change", contact.pk))
    form = typed(
        email_address=contact.email_address,
        first_name="Jane",
        last_name="Hull",
        name="Jane Doe",
        _version=shown.context["original"].updated_at.isoformat(),
    )
    assert f'value="{form["_version"]}"' in shown.content.decode()
    services.update(contact=contact, values={"dob": "1980-04-07"})
    refused = owner.post(page("change", contact.pk), form)
    assert refused.status_code == 200
    assert "Somebody else changed this" in refused.content.decode()
    contact.refresh_from_db()
    assert (str(contact.dob), contact.last_name) == ("1980-04-07", "Doe")
    form["_version"] = refused.context["original"].updated_at.isoformat()
    assert owner.post(page("change", contact.pk), form).status_code == 302


def test_addresses_are_changed_and_deleted_in_place(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(
        organisation, addresses=[{"line1": "1 High Street"}, {"line1": "2 Low Street"}]
    )
    first, second = contact.addresses.all()
    form = typed(
        email_address=contact.email_address,
        name=contact.name,
        timezone=contact.timezone,
        **address(0, id=str(first.pk), contact=str(contact.pk), line1="1 Higher Street"),
        **address(1, id=str(second.pk), contact=str(contact.pk), line1="2 Low Street", DELETE="on"),
    )
    form |= {"addresses-TOTAL_FORMS": "2", "addresses-INITIAL_FORMS": "2"}
    assert owner.post(page("change", contact.pk), form).status_code == 302
    assert [one.line1 for one in contact.addresses.all()] == ["1 Higher Street"]


def test_the_page_shows_totals_and_the_timeline(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact, spend=4500, external_reference="SO-1001")
    rows.activity(organisation, contact=contact, spend=1200, currency_code="EUR")
    content = owner.get(page("change", contact.pk)).content.decode()
    assert "£45.00 + €12.00" in content
    assert "SO-1001" in content


def test_saving_leads_back_to_the_page(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation, name="Jane")
    address = page("change", contact.pk)
    saved = owner.post(address, typed(email_address=contact.email_address, name="Jane Hull"))
    assert saved["Location"] == address
    refused = owner.post(address, typed(email_address="none at all"))
    assert refused.context["opened"] == "details"
    assert owner.get(address).context["opened"] == "timeline"


def test_what_the_form_has_stands_beside_the_timeline(
    owner: Client, organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    rows.field(organisation, label="Visits", type="Number", group="Habits")
    rows.field(organisation, label="VIP", type="Boolean")
    rows.field(organisation, label="Unset", type="Text")
    contact = rows.contact(
        organisation, dob="1980-04-07", customFields={"visits": "1234.50", "vip": True}
    )
    for client in (owner, staff_of(organisation, roles.READ_ONLY)):
        told = client.get(page("change", contact.pk)).context["facts"]
        facts = {fact.label: fact.text for group in told for fact in group.facts}
        assert facts["Visits"] == "1234.5"
        assert facts["VIP"] == "Yes"
        assert facts["Date of birth"] == "7 Apr 1980"
        assert "Unset" not in facts
        assert "E-mail" not in facts


# The timeline


def shown(answer: Any) -> list[str]:
    """The entries of an answer, by their days."""
    return [f"{day.day} {line.entry.title}" for day in answer.context["days"] for line in day.lines]


def test_the_timeline_comes_page_by_page(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    now = timezone.now()
    for number in range(65):
        moment = now - timedelta(hours=number)
        rows.activity(organisation, contact=contact, happened_at=moment, purchase=f"P{number}")
    seen: list[int] = []
    answer = owner.get(page("change", contact.pk), {"kind": "activity"})
    for _page in range(3):
        seen += [line.entry.pk for day in answer.context["days"] for line in day.lines]
        more = answer.context["more_fragment"]
        answer = owner.get(more) if more else answer
    newest_first = contact.activities.order_by("-happened_at").values_list("pk", flat=True)
    assert seen == list(newest_first)
    assert answer.context["more_fragment"] == ""


def test_the_timeline_shows_only_one_kind(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact)
    rewards.grant(contact=contact, amount=500, reason="Late breakfast")
    everything = shown(owner.get(page("change", contact.pk)))
    assert len(everything) == 3  # and that it was created
    (only,) = shown(owner.get(page("timeline", contact.pk), {"kind": "credit"}))
    assert only.endswith("Credit: Given")


def test_days_are_the_contacts_own(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation, timezone="Pacific/Auckland")
    moment = datetime(2026, 11, 1, 18, 30, tzinfo=UTC)
    rows.activity(organisation, contact=contact, happened_at=moment)
    answer = owner.get(page("timeline", contact.pk), {"kind": "activity"})
    assert shown(answer) == ["2026-11-02 Purchase"]
    assert answer.context["days"][0].lines[0].at == "07:30"


def test_one_entry_is_shown_again_by_itself(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    activities = [rows.activity(organisation, contact=contact) for _number in range(3)]
    answer = owner.get(page("change", contact.pk), {"kind": "activity"})
    lines = [line for day in answer.context["days"] for line in day.lines]
    (line,) = [one for one in lines if one.entry.pk == activities[1].pk]
    assert [one.entry.pk for day in owner.get(line.alone).context["days"] for one in day.lines] == [
        activities[1].pk
    ]


@pytest.mark.parametrize(
    "query",
    ["kind=other", "before=yesterday", "before=2026-01-01~activity~1", "limit=0", "limit=1000"],
)
def test_what_is_no_place_in_the_timeline_is_not_there(
    owner: Client, organisation: Organisation, query: str
) -> None:
    contact = rows.contact(organisation)
    assert owner.get(f"{page('timeline', contact.pk)}?{query}").status_code == 404


def test_each_sees_the_kinds_they_may_see(
    organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact)
    group = Group.objects.get(name=roles.READ_ONLY)
    group.permissions.remove(Permission.objects.get(codename="view_activity"))
    reader = staff_of(organisation, roles.READ_ONLY)
    answer = reader.get(page("change", contact.pk))
    assert not any(line.endswith("Purchase") for line in shown(answer))
    assert reader.get(page("timeline", contact.pk), {"kind": "activity"}).status_code == 404
    assert "First visit" not in [figure.label for figure in answer.context["figures"]]


# What is done on the page


def test_tags_are_put_on_and_taken_off_in_place(
    owner: Client, organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    contact = rows.contact(organisation, tags=["VIP"])
    address = page("tags", contact.pk)
    live = {"headers": {"X-Regulars": "page"}}
    assert owner.post(address, {"add": " Sea  view "}, **live).json() == {
        "done": "Sea view is put on."
    }
    assert owner.post(address, {"remove": "VIP"}, **live).status_code == 200
    assert [tag.name for tag in contact.tags.all()] == ["Sea view"]
    assert set(owner.get(address).json()["tags"]) == {"VIP", "Sea view"}
    refused = owner.post(address, {"add": " "}, **live)
    assert list(refused.json()["errors"]) == ["add"]
    # Without the script.
    assert owner.post(address, {"add": "Golf"})["Location"] == page("change", contact.pk)
    assert staff_of(organisation, roles.READ_ONLY).post(address, {"add": "x"}).status_code == 403


def test_a_tag_that_follows_a_rule_is_not_taken_off_in_place(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(organisation)
    services.tag(contacts=contact, name="Regulars", kind=Tag.Kind.SEGMENT)
    (tag,) = owner.get(page("change", contact.pk)).context["tags"]
    assert not tag.removable
    refused = owner.post(
        page("tags", contact.pk), {"remove": "Regulars"}, headers={"X-Regulars": "page"}
    )
    assert "by a rule" in str(refused.json()["errors"])


def test_an_activity_is_recorded_in_place(
    owner: Client, organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    contact = rows.contact(organisation)
    address = reverse("admin:activities_activity_record", args=[contact.pk])
    live = {"headers": {"X-Regulars": "page"}}
    given = {"type": "Purchase", "amount": "45.00", "happened_at": "2026-11-20T18:30"}
    assert owner.post(address, given, **live).status_code == 200
    activity = contact.activities.get()
    assert (activity.spend, activity.currency_code, activity.source) == (4500, "GBP", "admin")
    assert activity.happened_at == datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    for wrong, field in (({"amount": "1.005"}, "amount"), ({"type": "Nothing"}, "type")):
        refused = owner.post(address, {**given, **wrong}, **live)
        assert list(refused.json()["errors"]) == [field]
    assert staff_of(organisation, roles.READ_ONLY).post(address, given).status_code == 403


def test_the_parts_of_a_foreign_contacts_page_are_not_there(
    owner: Client, other_organisation: Organisation
) -> None:
    foreign = rows.contact(other_organisation)
    for name in ("live", "timeline", "tags"):
        assert owner.get(page(name, foreign.pk)).status_code == 404
    assert owner.post(page("tags", foreign.pk), {"add": "x"}).status_code == 404
    record = reverse("admin:activities_activity_record", args=[foreign.pk])
    assert owner.post(record, {"type": "Purchase"}).status_code == 404
    assert not foreign.tags.exists()


# What is to come, and what was


def test_what_is_booked_and_not_called_off_stands_on_top(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(organisation)
    now = timezone.now()

    def stay(reference: str, starts: int, ends: int, status: str = "Confirmed") -> None:
        rows.activity(
            organisation,
            contact=contact,
            type="Booking",
            booking={
                "external_reference": reference,
                "check_in": now + timedelta(days=starts),
                "check_out": now + timedelta(days=ends),
                "room_name": reference,
                "status": status,
            },
        )

    stay("Room-past", -9, -8)
    stay("Room-now", -1, 2)
    stay("Room-next", 12, 15)
    stay("Room-off", 3, 4, "Canceled")
    rows.activity(
        organisation,
        contact=contact,
        type="Table reservation",
        table_reservation={
            "origin_reference": "T",
            "start_time": now + timedelta(days=1),
            "party_size": 4,
        },
    )
    (part,) = owner.get(page("change", contact.pk)).context["now"]
    places = [part.find(text) for text in ("Is staying here", "Table on", "Arrives on")]
    assert -1 not in places
    assert places == sorted(places)
    assert "Room-past" not in part
    assert "Room-off" not in part


def test_the_first_visit_is_told(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    for year in (2024, 2026):
        moment = datetime(year, 3, 5, 12, tzinfo=UTC)
        rows.activity(organisation, contact=contact, happened_at=moment)
    figures = owner.get(page("change", contact.pk)).context["figures"]
    told = {figure.label: figure.value for figure in figures}
    assert (told["First visit"], told["Last visit"]) == ("5 Mar 2024", "5 Mar 2026")


def test_who_it_may_be_the_same_as_is_told(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation, name="Jane Hull")
    other = rows.contact(organisation, name="Jane Hul")
    pair = DuplicatePair.objects.create(
        organisation=organisation, first=contact, second=other, score=90
    )
    for one, told in ((contact, "Jane Hul<"), (other, "Jane Hull<")):
        (part,) = owner.get(page("change", one.pk)).context["now"]
        assert told in part
        assert reverse("admin:contacts_duplicatepair_change", args=[pair.pk]) in part


# Why these totals


def test_the_totals_are_explained_line_by_line(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    for month, spend, currency, type_ in (
        (9, 4500, "GBP", "Purchase"),
        (10, 1000, "GBP", "Purchase"),
        (10, 1200, "EUR", "Purchase"),
        (10, -500, "GBP", "Refund"),
        (10, 0, "GBP", "Login"),
    ):
        rows.activity(
            organisation,
            contact=contact,
            type=type_,
            spend=spend,
            currency_code=currency,
            happened_at=datetime(2026, month, 5, 12, tzinfo=UTC),
        )
    answer = owner.get(page("explain", contact.pk))
    assert [(row.label, list(row.amounts), row.orders) for row in answer.context["by_type"]] == [
        ("Purchase", ["£55.00", "€12.00"], 3),
        ("Refund", ["-£5.00"], 0),
        ("Login", [], 0),
    ]
    months = answer.context["by_month"]
    assert [(row.label, list(row.amounts), row.activities) for row in months] == [
        ("October 2026", ["£5.00", "€12.00"], 4),
        ("September 2026", ["£45.00"], 1),
    ]
    listed = owner.get(months[0].url).context["cl"].result_list
    assert len(listed) == 4
    assert "They agree" in answer.content.decode()
    assert "They differ" not in answer.content.decode()


def test_of_very_many_activities_the_latest_months_are_explained(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakdown, "MOST", 3)
    contact = rows.contact(organisation)
    for month in (7, 8, 9, 9, 10):
        moment = datetime(2026, month, 5, 12, tzinfo=UTC)
        rows.activity(organisation, contact=contact, spend=1000, happened_at=moment)
    answer = owner.get(page("explain", contact.pk))
    assert [row.label for row in answer.context["by_month"]] == ["October 2026", "September 2026"]
    rest = answer.context["rest"]
    assert (rest.label, list(rest.amounts), rest.orders) == ("Before September 2026", ["£20.00"], 2)
    everything = owner.get(answer.context["all_url"])
    assert everything.context["rest"] is None
    assert len(everything.context["by_month"]) == 4


# One contact: merge, unmerge, redact, delete


def test_merging_asks_shows_what_wins_and_can_be_undone(
    owner: Client, organisation: Organisation
) -> None:
    survivor = rows.contact(organisation, name="Jane", dob="1980-04-07", tags=["VIP"])
    absorbed = rows.contact(organisation, name="J. Doe", phone_number="07700 900123", tags=["Spa"])
    rows.activity(organisation, contact=absorbed, spend=4500)
    choose = page("merge_with", survivor.pk)
    chosen = owner.post(choose, {"confirmed": "yes", "other": str(absorbed.pk)})
    assert chosen["Location"] == f"{choose}?with={absorbed.pk}"
    preview = {line.label: line for line in owner.get(chosen["Location"]).context["lines"]}
    assert preview["Name"].result == "Jane"
    assert preview["Phone"].result == "07700 900123"
    assert preview["Tags"].result == "VIP; Spa"
    assert preview["Activities and totals"].result == "£45.00, 1 order"
    assert len(current(organisation)) == 2

    done = owner.post(chosen["Location"], {"confirmed": "yes"}, follow=True)
    assert "J. Doe is now part of this contact" in messages_of(done)
    assert current(organisation) == {survivor.pk}
    followed = owner.get(page("change", absorbed.pk))
    assert followed["Location"] == page("change", survivor.pk)

    undo = page("unmerge", survivor.pk, absorbed.pk)
    assert undo in owner.get(page("change", survivor.pk)).content.decode()
    assert owner.get(undo).status_code == 200
    assert current(organisation) == {survivor.pk}
    undone = owner.post(undo, {"confirmed": "yes"}, follow=True)
    assert "is a contact of its own again" in messages_of(undone)
    assert current(organisation) == {survivor.pk, absorbed.pk}
    assert owner.get(undo).status_code == 404


def test_a_contact_is_not_merged_with_itself(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    answer = owner.get(f"{page('merge_with', contact.pk)}?with={contact.pk}", follow=True)
    assert "cannot be merged with itself" in messages_of(answer)


def test_redacting_asks_first_and_leaves_no_name_behind(
    owner: Client, organisation: Organisation
) -> None:
    contact = rows.contact(organisation, name="Jane Doe")
    owner.post(
        page("change", contact.pk), typed(email_address=contact.email_address, name="Jane Hull")
    )
    asked = owner.get(page("redact", contact.pk)).content.decode()
    assert "cannot be undone" in asked
    contact.refresh_from_db()
    assert contact.redacted_at is None
    owner.post(page("redact", contact.pk), {"confirmed": "yes"})
    contact.refresh_from_db()
    assert contact.redacted_at is not None
    assert contact.name == ""
    shown = owner.get(page("change", contact.pk))
    assert "was erased on" in shown.content.decode()
    assert not shown.context["has_change_permission"]
    assert LogEntry.objects.count() == 2
    assert not LogEntry.objects.filter(object_repr__contains="Jane").exists()


def test_deleting_asks_first(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact)
    asked = owner.get(page("delete", contact.pk)).content.decode()
    assert "All activities, bookings and reservations are deleted." in asked
    assert current(organisation) == {contact.pk}
    owner.post(page("delete", contact.pk), {"post": "yes"})
    assert not current(organisation)


# Many contacts


def test_tagging_and_untagging_ask_and_say_what_they_did(
    owner: Client, organisation: Organisation
) -> None:
    one, two = rows.contact(organisation, tags=["VIP"]), rows.contact(organisation)
    asked = act(owner, "tag_chosen", one, two)
    assert "Tag 2 contacts" in asked.content.decode()
    assert not two.tags.exists()
    done = act(owner, "tag_chosen", one, two, confirmed="yes", name="vip")
    assert "Tag “vip” put on: 1 contact changed, 1 was so already." in messages_of(done)
    tag = Tag.objects.for_organisation(organisation).get()
    done = act(owner, "untag_chosen", one, two, confirmed="yes", tag=str(tag.pk))
    assert "Tag “VIP” taken off: 2 contacts changed." in messages_of(done)
    refused = act(owner, "tag_chosen", one, confirmed="yes", name=" ")
    assert refused.status_code == 200
    assert refused.context["form"].errors


def test_an_action_on_all_that_was_found(owner: Client, organisation: Organisation) -> None:
    for number in range(60):
        rows.contact(organisation, name=f"Jane {number}")
    bob = rows.contact(organisation, name="Bob")
    everyone = {
        "action": "tag_chosen",
        "select_across": "1",
        "_selected_action": [str(bob.pk)],
        "confirmed": "yes",
        "name": "Found",
    }
    done = owner.post(f"{LIST}?q=jane", everyone, follow=True)
    assert "Tag “Found” put on: 60 contacts changed" in messages_of(done)
    assert not bob.tags.exists()


def test_merging_wants_exactly_two(owner: Client, organisation: Organisation) -> None:
    contacts = [rows.contact(organisation) for _number in range(3)]
    assert "exactly two" in messages_of(act(owner, "merge_chosen", *contacts))
    answer = act(owner, "merge_chosen", *contacts[:2])
    assert answer.redirect_chain[-1][0].endswith(f"/merge/?with={contacts[1].pk}")


def test_deleting_many_asks_first(owner: Client, organisation: Organisation) -> None:
    contacts = [rows.contact(organisation) for _number in range(3)]
    asked = act(owner, "delete_chosen", *contacts[:2])
    assert "Delete 2 contacts?" in asked.content.decode()
    assert len(current(organisation)) == 3
    done = act(owner, "delete_chosen", *contacts[:2], confirmed="yes")
    assert "2 contacts are deleted." in messages_of(done)
    assert current(organisation) == {contacts[2].pk}


# The list


def found(client: Client, **query: Any) -> list[str]:
    return [contact.name for contact in client.get(LIST, query).context["cl"].result_list]


def test_the_list_is_searched_by_any_spelling(owner: Client, organisation: Organisation) -> None:
    rows.contact(
        organisation, name="Zoë Okafor", email_address="z@hull.example", phone_number="07700900123"
    )
    rows.contact(organisation, name="Tom Nowak")
    for text in ("zoe", "OKAFOR", "hull.ex", "+44 7700 900123", "07700 900 123", "7700900"):
        assert found(owner, q=text) == ["Zoë Okafor"], text
    assert found(owner, q="nobody") == []


def test_the_list_is_filtered(owner: Client, organisation: Organisation) -> None:
    rows.field(organisation, label="VIP", type="Boolean")
    rows.field(organisation, label="Visits", type="Number")
    rows.field(organisation, label="Diet", type="Select", options=["Vegan", "None"])
    rows.field(organisation, label="Since", type="Date")
    rows.field(organisation, label="Nickname", type="Text")
    jane = rows.contact(
        organisation,
        name="Jane",
        tags=["Gold", "Spa"],
        customFields={
            "vip": True,
            "visits": 7,
            "diet": "Vegan",
            "since": "2020-02-03",
            "nickname": "JD",
        },
    )
    rows.contact(organisation, name="Bob", tags=["Spa"], kind="business")
    rows.activity(organisation, contact=jane, spend=4500)
    tags = {tag.name: str(tag.pk) for tag in Tag.objects.for_organisation(organisation)}
    only_jane: list[dict[str, Any]] = [
        {"tag": tags["Gold"]},
        {"tag": [tags["Gold"], tags["Spa"]]},
        {"spend_from": "45", "spend_to": "45.00"},
        {"last_from": "2020-01-01"},
        {"activity": "Purchase"},
        {"of_kind": "person"},
        {"cf_vip": "true"},
        {"cf_visits_from": "7", "cf_visits_to": "8"},
        {"cf_diet": "Vegan"},
        {"cf_since_from": "2020-02-03", "cf_since_to": "2020-02-03"},
        {"cf_nickname": "JD"},
    ]
    for query in only_jane:
        assert found(owner, **query) == ["Jane"], query
    for query in ({"cf_visits_from": "8"}, {"activity": "Login"}, {"last_to": "2020-01-01"}):
        assert found(owner, **query) == [], query
    # What cannot be read filters nothing, and is told in the filter.
    assert found(owner, spend_from="a lot", last_to="soon", tag="x") == ["Bob", "Jane"]


@pytest.mark.parametrize(
    "column", ["shown_name", "total_spend", "total_orders", "last_interaction"]
)
def test_the_list_is_sorted_with_the_unset_last(
    owner: Client, organisation: Organisation, column: str
) -> None:
    from contacts.admin.contacts import ContactAdmin

    names = ["Ann", "Bea", "Cy"]
    for number, name in enumerate(names):
        contact = rows.contact(organisation, name=name)
        for _order in range(number + 1):
            rows.activity(
                organisation,
                contact=contact,
                spend=1000,
                happened_at=datetime(2026, 1, number + 1, tzinfo=UTC),
            )
    if column == "last_interaction":
        rows.contact(organisation, name="Never")
        names.append("Never")
    index = ContactAdmin.list_display.index(column) + 1
    ascending = found(owner, o=str(index))
    assert ascending == names
    assert found(owner, o=f"-{index}") == [*reversed(names[:3]), *names[3:]]


def test_pages_of_a_sort_with_unset_ones_miss_nobody(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contacts.admin.contacts import ContactAdmin

    for number in range(13):
        contact = rows.contact(organisation, name=f"Contact {number}")
        if number % 2:
            rows.activity(organisation, contact=contact)
    index = ContactAdmin.list_display.index("last_interaction") + 1
    for size in (1, 2, 3, 5, 6, 7, 13):
        monkeypatch.setattr(ContactAdmin, "list_per_page", size)
        paged: list[str] = []
        for number in range(1, 13 // size + 2):
            if (number - 1) * size < 13:
                paged += found(owner, o=f"-{index}", p=number)
        assert len(paged) == 13
        assert len(set(paged)) == 13


def test_no_list_goes_past_its_cap(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.admin.paging.MAX_ROWS", 100)
    for number in range(120):
        rows.contact(organisation, name=f"Contact {number}")
    answer = owner.get(LIST)
    assert "100+ contacts" in answer.content.decode()
    beyond = owner.get(LIST, {"p": "3"})
    assert beyond.context["cl"].page_num == 2
    assert "Only the first" in messages_of(beyond)


# Roles


def test_what_each_role_may_do_with_contacts(staff_of: Any, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    expected = {
        roles.OWNER: (200, 200, 200, 200, 200),
        roles.MANAGER: (200, 200, 200, 200, 200),
        roles.STAFF: (200, 200, 403, 403, 403),
        roles.READ_ONLY: (200, 403, 403, 403, 403),
    }
    for role, statuses in expected.items():
        client = staff_of(organisation, role)
        asked = (
            page("change", contact.pk),
            ADD,
            page("merge_with", contact.pk),
            page("redact", contact.pk),
            page("delete", contact.pk),
        )
        assert tuple(client.get(one).status_code for one in asked) == statuses, role
    reader = staff_of(organisation, roles.READ_ONLY)
    assert reader.post(page("change", contact.pk), typed(name="Changed")).status_code == 403
    assert 'name="_selected_action"' not in reader.get(LIST).content.decode()
