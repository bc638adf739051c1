"""The board of custom fields, what a rule would mean, and where a field is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts.segments import services as segments
from customfields.models import CustomField
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.test_custom_fields import page, typed
from tests.factories import OrganisationFactory
from workflows import services as workflows

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customfields_customfield_changelist")
ARRANGE = reverse("admin:customfields_customfield_arrange")


def test_the_board_shows_groups_and_costs_the_same_for_any_number_of_fields(
    owner: Client, organisation: Organisation, django_assert_num_queries: Any
) -> None:
    rows.field(organisation, label="Diet", group="Food")
    rows.field(organisation, label="Pillow", group="Room")
    rows.contact(organisation, customFields={"diet": "Vegan"})
    owner.get(LIST)
    with django_assert_num_queries(8):
        shown = owner.get(LIST).content.decode()
    texts = re.findall(r'<h2 id="group[^>]*>(.*?)</h2>|draggable="false">(.*?)</a>', shown)
    assert [one or other for one, other in texts] == ["Food", "Diet", "Room", "Pillow"]
    assert "1 contact<" in shown
    for number in range(5):
        rows.field(organisation, label=f"More {number}", group="Food")
    with django_assert_num_queries(8):
        owner.get(LIST)


def test_an_empty_board_says_what_to_do(owner: Client) -> None:
    assert "Add the first field" in owner.get(LIST).content.decode()


def test_a_move_answers_a_script_with_the_board_and_others_with_the_page(
    owner: Client, organisation: Organisation
) -> None:
    diet = rows.field(organisation, label="Diet", group="Food")
    form = {"field": diet.pk, "group": "Kitchen", "after": ""}
    assert owner.post(ARRANGE, form).headers["Location"] == LIST
    diet.refresh_from_db()
    assert diet.group == "Kitchen"
    answer = owner.post(
        ARRANGE, {"rename": "Kitchen", "name": "Food"}, headers={"X-Requested-With": "fetch"}
    )
    assert answer.status_code == 200
    assert b"Food" in answer.content
    refused = owner.post(
        ARRANGE, {**form, "group": "x" * 81}, headers={"X-Requested-With": "fetch"}
    )
    assert refused.status_code == 422
    assert b"at most 80 characters" in refused.content


def test_whoever_may_only_look_and_others_move_nothing(
    organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    diet = rows.field(organisation, label="Diet", group="Food")
    form = {"field": diet.pk, "group": "Kitchen", "after": ""}
    reader = staff_of(organisation, roles.READ_ONLY)
    assert reader.post(ARRANGE, form).status_code == 403
    stranger = staff_of(OrganisationFactory())
    assert stranger.post(ARRANGE, form).status_code == 404
    assert stranger.get(page("impact", diet)).status_code == 404
    diet.refresh_from_db()
    assert diet.group == "Food"


def test_a_rule_that_contacts_break_is_set_only_when_that_is_accepted(
    owner: Client, organisation: Organisation
) -> None:
    field = rows.field(organisation, label="Visits", type="Number")
    young = rows.contact(organisation, customFields={"visits": 1}, name="Young Anna")
    rows.contact(organisation, customFields={"visits": 9})
    form = typed(label="Visits", type="Number", minimum="5", group="", position="0")
    refused = owner.post(page("change", field), form)
    assert refused.status_code == 200
    assert refused.context["adminform"].form.errors["minimum"] == ["1 contact would break it."]
    assert "Save it all the same" in refused.content.decode()
    listed = owner.get(refused.context["impact_page"]).content.decode()
    assert "Young Anna" in listed
    assert CustomField.objects.for_organisation(organisation).get().minimum is None
    assert owner.post(page("change", field), {**form, "accept_impact": "on"}).status_code == 302
    assert CustomField.objects.for_organisation(organisation).get().minimum == 5
    assert young.custom_field_values.get().value_number == 1


def test_what_a_rule_would_mean_is_told_while_it_is_typed(
    owner: Client, organisation: Organisation
) -> None:
    field = rows.field(organisation, label="Diet", type="Select", options=["Vegan", "Halal"])
    rows.contact(organisation, customFields={"diet": "Vegan"})
    rows.contact(organisation)
    fetch = {"X-Requested-With": "fetch"}
    asked = {"required": "on", "gone": "Vegan", "minimum": "many", "pattern": "("}
    told = owner.get(page("impact", field), asked, headers=fetch).content.decode()
    assert told.count("1 contact would break it.") == 2
    assert "It cannot be saved" in told
    assert owner.get(page("impact", field), headers=fetch).content.strip() == b""


def test_a_field_says_where_it_is_used(owner: Client, organisation: Organisation) -> None:
    field = rows.field(organisation, label="Diet")
    rule = {"field": "contact.customFields.diet", "operator": "eq", "value": "Vegan"}
    segments.create(organisation=organisation, name="Vegans", rules=rule)
    workflows.create(
        organisation=organisation,
        name="Treat",
        trigger={"type": "contact_created"},
        steps=[{"type": "update_contact", "values": {"customFields": {"diet": "Halal"}}}],
    )
    shown = owner.get(page("change", field)).content.decode()
    assert "Vegans" in shown
    assert "Treat" in shown
    unused = rows.field(organisation, label="Pillow")
    assert "No segment and no workflow" in owner.get(page("change", unused)).content.decode()


def test_options_have_colours_that_the_api_does_not_speak_of(
    owner: Client, organisation: Organisation, api: Any
) -> None:
    field = rows.field(organisation, label="Diet", type="Select", options=["Vegan"])
    option = field.options.get()
    line = {"id": str(option.pk), "field": str(field.pk), "value": "Vegan", "color": "green"}
    form = typed(line, initial=1, type="Select", position="0")
    assert owner.post(page("change", field), form).status_code == 302
    kept = api.patch(f"/custom-fields/{field.pk}", {"options": ["Vegan", "Halal"]}).json()
    assert kept["options"][0] == {"value": "Vegan", "label": "Vegan"}
    option.refresh_from_db()
    assert option.color == "green"
