"""Segments in the admin: a rule, its errors beside it, what the builder asks, who is in it and why.

The builder itself is tried in tests/browser/test_rules.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse, reverse_lazy
from django.utils.html import strip_tags

from contacts import segments
from contacts.models import Segment
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

SECRETS = {"all": [{"field": "contact.name", "operator": "starts_with", "value": "secret"}]}


def test_a_segment_is_made_changed_and_deleted(owner: Client, organisation: Organisation) -> None:
    contact = rows.contact(organisation)
    add = reverse("admin:contacts_segment_add")
    assert owner.get(add).status_code == 200

    owner.post(add, {"name": "Secrets", "rules": json.dumps(SECRETS)})
    made = Segment.objects.for_organisation(organisation).get()
    assert (made.name, made.rules) == ("Secrets", SECRETS)
    while segments.refresh_due():
        pass
    listed = owner.get(reverse("admin:contacts_segment_changelist")).content.decode()
    assert f'?segment={made.pk}">1</a>' in listed

    found = owner.get(reverse("admin:contacts_contact_changelist"), {"segment": made.pk})
    assert [row.pk for row in found.context["cl"].result_list] == [contact.pk]
    change = reverse("admin:contacts_segment_change", args=[made.pk])
    assert "&quot;starts_with&quot;" in owner.get(change).content.decode()
    version = Segment.objects.for_organisation(organisation).get().updated_at.isoformat()
    owner.post(change, {"name": "Hidden", "rules": json.dumps(SECRETS), "_version": version})
    assert Segment.objects.for_organisation(organisation).get().name == "Hidden"
    owner.post(reverse("admin:contacts_segment_delete", args=[made.pk]), {"post": "yes"})
    assert not Segment.objects.for_organisation(organisation).exists()


def test_what_is_wrong_with_a_rule_is_said_beside_it(
    owner: Client, organisation: Organisation
) -> None:
    add = reverse("admin:contacts_segment_add")
    rule: Any = {"all": [{"field": "contact.totalSpent", "operator": "gte", "value": 1}]}

    page = owner.post(add, {"name": "Spenders", "rules": json.dumps(rule)})
    errors = page.context["adminform"].form.errors["rules"]
    (told,) = errors
    assert strip_tags(told) == (
        "all.0.field: There is no field contact.totalSpent. Did you mean contact.totalSpend?"
    )
    assert "contact.totalSpent" in page.content.decode()
    page = owner.post(add, {"name": "Spenders", "rules": "{not json"})
    assert page.context["adminform"].form.errors["rules"] == ["Enter a valid JSON."]
    assert "{not json" in page.content.decode()
    assert not Segment.objects.for_organisation(organisation).exists()


def test_who_may_only_read_cannot_change_a_rule(
    organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    reader = staff_of(organisation, roles.READ_ONLY)
    made = rows.ROWS[Segment](organisation)
    address = reverse("admin:contacts_segment_change", args=[made.pk])
    assert "everybody" in reader.get(address).content.decode()
    assert reader.post(address, {"name": "Mine", "rules": "{}"}).status_code == 403
    assert reader.get(reverse("admin:contacts_segment_add")).status_code == 403


FIELDS = reverse_lazy("admin:contacts_segment_rule_fields")
PREVIEW = reverse_lazy("admin:contacts_segment_rule_preview")


def preview(client: Client, rules: Any, *about: str) -> Any:
    body = {"rules": rules, "about": about or ["contact"]}
    return client.post(str(PREVIEW), json.dumps(body), content_type="application/json")


def test_the_builder_is_told_what_rules_may_speak_of(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    rows.contact(organisation, tags=["Golfer"])
    rows.contact(other_organisation, tags=["Spy"])

    told = owner.get(str(FIELDS), {"about": "contact"}).json()

    assert "contact.totalSpend" in [one["field"] for one in told["fields"]]
    assert not any(one["field"].startswith("activity.") for one in told["fields"])
    assert "activityData" not in told
    assert [one["value"] for one in told["suggestions"]["contact.tags"]] == ["Golfer"]
    assert (told["currency"], told["timezone"]) == (
        organisation.currency_code,
        organisation.timezone,
    )
    assert (told["digits"]["JPY"], told["digits"]["KWD"], "GBP" in told["digits"]) == (0, 3, False)
    of_activity = owner.get(str(FIELDS), {"about": ["contact", "activity"]}).json()
    assert "activity.type" in [one["field"] for one in of_activity["fields"]]
    assert of_activity["activityData"]["prefix"] == "activity.data."


def test_the_builder_is_told_for_whom_a_rule_holds(
    owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    contact = rows.contact(organisation)
    rows.contact(other_organisation)

    told = preview(owner, SECRETS).json()
    assert told == {
        "said": "It holds for 1 contact.",
        "contacts": [
            {
                "name": str(contact),
                "url": reverse("admin:contacts_contact_change", args=[contact.pk]),
            }
        ],
    }
    assert preview(owner, {"any": []}).json() == {
        "said": "It holds for no contact.",
        "contacts": [],
    }


def test_more_than_can_be_counted_is_said_to_be_more(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _index in range(2):
        rows.contact(organisation)
    monkeypatch.setattr("contacts.segments.reading.MOST_COUNTED", 1)
    said = preview(owner, {"all": []}).json()["said"]
    assert said == "It holds for more than 1 contacts."


def test_the_builder_is_told_what_is_wrong_and_where(owner: Client) -> None:
    of_activity = {"field": "activity.spend", "operator": "gte", "value": 100}
    rule = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": "x"}, of_activity]}

    assert preview(owner, rule).json() == {
        "errors": {
            "all.0.value": ["Give a whole number."],
            "all.1.field": ["activity.spend is known only where an activity starts it."],
        }
    }
    assert preview(owner, of_activity, "contact", "activity").json() == {}
    assert preview(owner, None).json()["errors"][""]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "{}", '{"rules": {}}', '{"rules": {}, "about": 1}']
)
def test_a_question_that_is_none_is_refused(owner: Client, body: str) -> None:
    answer = owner.post(str(PREVIEW), body, content_type="application/json")
    assert answer.status_code == 400


def test_who_may_see_segments_may_ask_and_nobody_else(
    organisation: Organisation, staff_of: Callable[..., Client], client: Client
) -> None:
    reader, nowhere = staff_of(organisation, roles.READ_ONLY), signed_in(UserFactory(is_staff=True))
    assert reader.get(str(FIELDS)).status_code == preview(reader, SECRETS).status_code == 200
    assert nowhere.get(str(FIELDS)).status_code == preview(nowhere, SECRETS).status_code == 403
    assert client.get(str(FIELDS)).status_code == preview(client, SECRETS).status_code == 302


def test_a_contact_is_told_why_it_is_in_a_segment_or_not(
    owner: Client, organisation: Organisation
) -> None:
    inside, outside = rows.contact(organisation), rows.contact(organisation, name="Jo Open")
    rule: Any = {
        "any": [*SECRETS["all"], {"all": [{"field": "contact.tags", "operator": "is_set"}]}]
    }
    made = segments.services.create(organisation=organisation, name="Secrets", rules=rule)
    while segments.refresh_due():
        pass
    check = reverse("admin:contacts_segment_check_contact", args=[made.pk])
    assert "Back to the segment" in owner.get(check).content.decode()

    page = owner.get(check, {"contact": inside.pk})
    assert page.context["verdict"] == f"{inside} is in the segment: the rule holds."
    shown = [
        (line.depth, str(line.group) or (line.finding.said, line.finding.found_said))
        for line in page.context["lines"]
    ]
    assert shown == [
        (0, "Any of these holds"),
        (1, ("Name starts with secret", str(inside))),
        (1, "All of these hold"),
        (2, ("Tags is known", "")),
    ]
    assert [line.finding.holds for line in page.context["lines"] if line.finding] == [True, False]
    page = owner.get(check, {"contact": outside.pk})
    assert page.context["verdict"] == "Jo Open is not in the segment: the rule does not hold."


@pytest.mark.parametrize("given", ["", "x", "0", "9" * 30])
def test_only_own_contacts_are_checked(
    given: str, owner: Client, organisation: Organisation, other_organisation: Organisation
) -> None:
    made = rows.ROWS[Segment](organisation)
    check = reverse("admin:contacts_segment_check_contact", args=[made.pk])
    for contact in (given, rows.contact(other_organisation).pk):
        page = owner.get(check, {"contact": contact})
        assert page.status_code == 200
        assert "verdict" not in page.context
        assert page.context["form"].errors


def test_its_page_says_in_words_how_it_stands(owner: Client, organisation: Organisation) -> None:
    segment = rows.segment(organisation)
    page = owner.get(reverse("admin:contacts_segment_change", args=[segment.pk])).content.decode()
    assert "Status." not in page
    assert str(segment.status_label) in page
