"""Possible duplicates in the admin: decided on, by whom it may concern."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from contacts import services
from contacts.duplicates import services as duplicates
from contacts.duplicates.models import CrowdedKey, DuplicatePair, DuplicateScan
from contacts.models import Contact, Merge
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.contacts.duplicates import look, pairs, person
from tests.contacts.test_duplicates_merge import two

pytestmark = pytest.mark.django_db


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:contacts_duplicatepair_{name}", args=args)


def said(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture
def pair(organisation: Organisation) -> DuplicatePair:
    """Two that differ in everything."""
    first, second = two(organisation)
    made: DuplicatePair = DuplicatePair.objects.create(
        organisation=organisation, first=first, second=second, score=80, reasons=["birthday"]
    )
    return made


def form_of(client: Client, pair: DuplicatePair, **chosen: Any) -> dict[str, Any]:
    """What the page's form sends: the first stays, with all that is its own."""
    shown = client.get(page("change", pair.pk)).context
    values = {
        line.field: next(cell.contact for cell in cells if cell.is_chosen)
        for line, cells in shown["lines"]
        if line.is_choice
    }
    return {"version": shown["version"], "stays": shown["stays"], **values, **chosen}


# The list


def test_the_likeliest_stand_first_with_their_reasons(
    owner: Client, organisation: Organisation
) -> None:
    likely = rows.pair(organisation, score=80, reasons=["name", "birthday", "of a later version"])
    very = rows.pair(organisation, score=95)
    possible = rows.pair(organisation, score=60)
    answer = owner.get(page("changelist"))
    assert [row.pk for row in answer.context["cl"].result_list] == [very.pk, likely.pk, possible.pk]
    for text in ("Very likely", "Likely", "Possible", "the same name", "the same birthday"):
        assert text in said(answer)
    narrowed = owner.get(page("changelist"), {"least": "75"})
    assert [row.pk for row in narrowed.context["cl"].result_list] == [very.pk, likely.pk]


def test_it_says_how_far_the_search_is_and_what_was_left_out(
    owner: Client, organisation: Organisation
) -> None:
    first = rows.contact(organisation)
    for _number in range(3):
        rows.contact(organisation)
    DuplicateScan.objects.for_organisation(organisation).update(done_up_to=first.pk)
    assert "about 25 % so far" in said(owner.get(page("changelist")))
    look()
    CrowdedKey.objects.create(
        organisation=organisation, key=1, kind="email_name", value="office", contacts=312
    )
    shown = said(owner.get(page("changelist")))
    assert "All contacts were looked through" in shown
    assert "No contact looks like another" in shown
    assert "office" in shown
    assert "312 contacts" in shown


def test_all_is_looked_through_again_when_that_is_asked_for(
    owner: Client, organisation: Organisation
) -> None:
    rows.contact(organisation)
    look()
    assert owner.get(page("look_again")).status_code == 404
    owner.post(page("look_again"))
    scan = DuplicateScan.objects.for_organisation(organisation).get()
    assert (scan.done_up_to, scan.finished_at) == (0, None)


def test_chosen_ones_are_dismissed_and_proposed_again(
    owner: Client, organisation: Organisation
) -> None:
    one, other = rows.pair(organisation), rows.pair(organisation)
    chosen = {"_selected_action": [one.pk, other.pk]}
    answer = owner.post(page("changelist"), {"action": "dismiss_chosen", **chosen}, follow=True)
    assert "2 pairs are not proposed again." in said(answer)
    assert pairs(organisation) == {}
    dismissed = f"{page('changelist')}?show=dismissed"
    assert {row.pk for row in owner.get(dismissed).context["cl"].result_list} == {one.pk, other.pk}
    owner.post(dismissed, {"action": "propose_chosen", "_selected_action": [one.pk]})
    assert pairs(organisation).keys() == {(one.first_id, one.second_id)}


# One pair


def test_both_stand_side_by_side(owner: Client, pair: DuplicatePair) -> None:
    rows.activity(pair.second.organisation, contact=pair.second)
    shown = owner.get(page("change", pair.pk))
    lines = {line.name: line for line, _cells in shown.context["lines"]}
    assert (lines["customFields.diet"].first, lines["customFields.diet"].second) == (
        "Vegan",
        "Fish",
    )
    assert lines["name"].is_choice
    assert "£45.00, 1 order" in said(shown)
    # More was bought by the second: it is proposed to stay.
    assert shown.context["stays"] == pair.second_id


def test_a_name_made_of_the_others_is_no_choice_of_its_own(
    owner: Client, organisation: Organisation
) -> None:
    pair = rows.pair(organisation)
    for contact, name in ((pair.first, "Jane"), (pair.second, "Janet")):
        values = {"first_name": name, "last_name": "Doe", "name": None}
        services.update(contact=contact, values=values)
    lines = owner.get(page("change", pair.pk)).context["lines"]
    names = [line.name for line, _cells in lines if line.is_choice]
    assert "firstName" in names
    assert "lastName" not in names
    assert "name" not in names


def test_what_is_chosen_is_what_the_one_contact_has(owner: Client, pair: DuplicatePair) -> None:
    chosen = {"value:emailAddress": pair.second_id, "value:customFields.diet": pair.second_id}
    form = form_of(owner, pair, stays=pair.first_id, **chosen)
    answer = owner.post(page("change", pair.pk), {"merge": "1", **form}, follow=True)

    assert "is one contact now." in said(answer)
    merge = Merge.objects.for_organisation(pair.organisation_id).get()
    assert (merge.survivor_id, merge.absorbed_id) == (pair.first_id, pair.second_id)
    assert merge.chosen.keys() == {"emailAddress", "customFields.diet"}
    survivor = Contact.objects.for_organisation(pair.organisation_id).get(pk=pair.first_id)
    assert (survivor.email_address, survivor.first_name) == ("janet@b.com", "Jane")
    assert not DuplicatePair.objects.for_organisation(pair.organisation_id).exists()


def test_either_may_stay(owner: Client, pair: DuplicatePair) -> None:
    form = form_of(owner, pair)
    every = {name: pair.first_id for name in form if name.startswith("value:")}
    swapped = {**form, **every, "stays": pair.second_id, "value:dob": pair.second_id}
    owner.post(page("change", pair.pk), {"merge": "1", **swapped})
    survivor = Contact.objects.for_organisation(pair.organisation_id).get(pk=pair.second_id)
    assert (survivor.first_name, survivor.dob) == ("Jane", date(1981, 6, 18))


def test_who_was_changed_meanwhile_is_looked_at_again(owner: Client, pair: DuplicatePair) -> None:
    form = form_of(owner, pair, **{"value:dob": pair.second_id})
    services.update(contact=pair.first, values={"last_name": "Changed"})
    answer = owner.post(page("change", pair.pk), {"merge": "1", **form})
    assert "was changed after you opened this" in said(answer)
    assert not Merge.objects.for_organisation(pair.organisation_id).exists()
    chosen = {line.name: cells for line, cells in answer.context["lines"]}["dob"]
    assert [cell.is_chosen for cell in chosen] == [False, True]  # what was chosen is kept


def test_one_goes_on_to_the_next_pair(owner: Client, organisation: Organisation) -> None:
    first, second = rows.pair(organisation, score=90), rows.pair(organisation, score=80)
    answer = owner.post(page("change", first.pk), {"dismiss": "1"})
    assert answer.url == page("change", second.pk)
    answer = owner.post(page("change", second.pk), {"dismiss": "1"})
    assert answer.url == page("changelist")
    assert pairs(organisation) == {}
    shown = said(owner.get(page("change", first.pk)))
    assert "said on" in shown
    owner.post(page("change", first.pk), {"propose": "1"})
    assert len(pairs(organisation)) == 1


def test_a_merge_is_undone_from_there(owner: Client, organisation: Organisation) -> None:
    born = date(1980, 5, 17)
    first = person(organisation, "a@a.com", name="Jane Doe", dob=born)
    second = person(organisation, "b@b.com", name="Doe Jane", dob=born)
    merge = services.merge(survivor=first, absorbed=second)
    assert "Doe Jane" in said(owner.get(page("merged")))
    assert "of its own again" in said(owner.get(page("undo", merge.pk)))

    answer = owner.post(page("undo", merge.pk), {"confirmed": "yes"}, follow=True)

    assert "Doe Jane is a contact of its own again." in said(answer)
    assert "Nothing was merged" in said(answer)
    look()
    assert len(pairs(organisation)) == 1
    assert owner.post(page("undo", merge.pk), {"confirmed": "yes"}).status_code == 404


def test_what_stands_against_undoing_is_said(owner: Client, organisation: Organisation) -> None:
    merge = services.merge(survivor=rows.contact(organisation), absorbed=rows.contact(organisation))
    services.merge(survivor=rows.contact(organisation), absorbed=merge.survivor)
    answer = owner.post(page("undo", merge.pk), {"confirmed": "yes"}, follow=True)
    assert "undo that first" in said(answer)


def test_many_merges_are_paged(owner: Client, organisation: Organisation, monkeypatch: Any) -> None:
    from contacts.admin import duplicates as screen

    monkeypatch.setattr(screen, "MERGES", 2)
    made = [
        services.merge(survivor=rows.contact(organisation), absorbed=rows.contact(organisation))
        for _number in range(3)
    ]
    shown = owner.get(page("merged")).context
    assert [one.pk for one in shown["merges"]] == [made[2].pk, made[1].pk]
    older = owner.get(page("merged"), {"before": shown["older"]}).context
    assert [one.pk for one in older["merges"]] == [made[0].pk]
    assert older["older"] is None


def test_what_was_dismissed_and_is_part_of_another_is_not_listed(
    owner: Client, pair: DuplicatePair
) -> None:
    all_pairs = DuplicatePair.objects.for_organisation(pair.organisation_id)
    duplicates.dismiss(pairs=all_pairs)
    services.merge(survivor=pair.first, absorbed=pair.second)
    listed = owner.get(f"{page('changelist')}?show=dismissed").context["cl"].result_list
    assert list(listed) == []
    assert owner.get(page("change", pair.pk)).status_code == 404


def test_what_comparing_costs_does_not_grow(owner: Client, pair: DuplicatePair) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert owner.get(page("change", pair.pk)).status_code == 200
        return len(captured)

    cost()
    before = cost()
    # Who asks (4); the pair with both; the two with all that stands beside (7); totals in other
    # currencies, names of fields, values, tags and addresses of both.
    assert before <= 38
    organisation = Organisation.objects.get(pk=pair.organisation_id)
    for number in range(8):
        rows.activity(organisation, contact=pair.first)
        rows.field(organisation, label=f"More {number}")
        services.tag(contacts=Contact.objects.for_organisation(organisation), name=f"Tag {number}")
    assert cost() <= before


# Who may


@pytest.mark.parametrize("role", [roles.READ_ONLY, roles.STAFF])
def test_who_may_only_look_decides_nothing(
    staff_of: Callable[..., Client], pair: DuplicatePair, role: str
) -> None:
    organisation = Organisation.objects.get(pk=pair.organisation_id)
    merge = services.merge(survivor=rows.contact(organisation), absorbed=rows.contact(organisation))
    client = staff_of(organisation, role)
    shown = said(client.get(page("change", pair.pk)))
    assert 'name="merge"' not in shown
    assert 'type="radio"' not in shown
    form = form_of(client, pair)
    for pressed in ("merge", "dismiss", "propose"):
        answer = client.post(page("change", pair.pk), {pressed: "1", **form})
        assert answer.status_code == 403, pressed
    for address in (page("look_again"), page("undo", merge.pk)):
        assert client.post(address, {"confirmed": "yes"}).status_code == 403
    chosen = {"action": "dismiss_chosen", "_selected_action": [pair.pk]}
    client.post(page("changelist"), chosen)
    assert len(pairs(organisation)) == 1
    assert client.get(page("merged")).status_code == 200


def test_a_manager_may(staff_of: Callable[..., Client], pair: DuplicatePair) -> None:
    client = staff_of(Organisation.objects.get(pk=pair.organisation_id), roles.MANAGER)
    form = form_of(client, pair)
    assert client.post(page("change", pair.pk), {"merge": "1", **form}).status_code == 302


def test_merges_of_another_organisation_are_not_there(
    owner: Client, other_organisation: Organisation
) -> None:
    survivor, absorbed = rows.contact(other_organisation), rows.contact(other_organisation)
    merge = services.merge(survivor=survivor, absorbed=absorbed)
    assert owner.get(page("merged")).context["merges"] == []
    assert owner.post(page("undo", merge.pk), {"confirmed": "yes"}).status_code == 404


def test_nonsense_is_refused(owner: Client, pair: DuplicatePair) -> None:
    form = form_of(owner, pair)
    for stays in ("", "x", str(rows.contact(pair.first.organisation).pk)):
        answer = owner.post(page("change", pair.pk), {"merge": "1", **form, "stays": stays})
        assert answer.status_code == 404
    assert owner.get(page("merged"), {"before": "x"}).status_code == 200
    assert not Merge.objects.for_organisation(pair.organisation_id).exists()
