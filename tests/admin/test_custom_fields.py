"""Definitions of custom fields in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customfields.models import CustomField
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows

pytestmark = pytest.mark.django_db

ADD = reverse("admin:customfields_customfield_add")


def page(name: str, field: CustomField) -> str:
    return reverse(f"admin:customfields_customfield_{name}", args=[field.pk])


def typed(*options: dict[str, str], initial: int = 0, **values: Any) -> dict[str, Any]:
    form = {
        "label": "Diet",
        "type": "Text",
        "options-TOTAL_FORMS": str(len(options)),
        "options-INITIAL_FORMS": str(initial),
        **values,
    }
    for index, option in enumerate(options):
        form |= {f"options-{index}-{name}": value for name, value in option.items()}
    return form


def options_of(field: CustomField) -> list[tuple[str, str]]:
    return list(field.options.order_by("position").values_list("value", "label"))


def test_a_field_with_options_is_defined_in_their_order(
    owner: Client, organisation: Organisation
) -> None:
    answer = owner.post(
        ADD,
        typed(
            {"value": "Vegan", "position": "2"},
            {"value": "None", "label": "Eats all", "position": "1"},
            {"value": "Halal"},
            type="Select",
            default_value="None",
            required="on",
        ),
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    field = CustomField.objects.for_organisation(organisation).get()
    assert (field.name, field.default, field.required) == ("diet", "None", True)
    assert options_of(field) == [("None", "Eats all"), ("Vegan", "Vegan"), ("Halal", "Halal")]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"label": ""}, "label"),
        ({"name": "Not Snake"}, "name"),
        ({"type": "Number", "minimum": "5", "maximum": "1"}, "minimum"),
        ({"pattern": "("}, "pattern"),
        ({"type": "Number", "default_value": "many"}, "default_value"),
        ({"type": "Select"}, "__all__"),
    ],
)
def test_what_is_refused_is_told_beside_the_field(
    owner: Client, organisation: Organisation, given: dict[str, str], field: str
) -> None:
    answer = owner.post(ADD, typed(**given))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not CustomField.objects.for_organisation(organisation).exists()


def test_options_are_dragged_renamed_and_kept_while_used(
    owner: Client, organisation: Organisation
) -> None:
    field = rows.field(organisation, label="Diet", type="Select", options=["Vegan", "Halal"])
    rows.contact(organisation, customFields={"diet": "Vegan"})
    vegan, halal = field.options.order_by("position")
    both = [
        {"id": str(vegan.pk), "field": str(field.pk), "value": "Vegan", "label": "Plants"},
        {"id": str(halal.pk), "field": str(field.pk), "value": "Halal", "label": "Halal"},
    ]
    moved = [{**both[0], "position": "1"}, {**both[1], "position": "0"}]
    change = page("change", field)
    kept = {"type": "Select", "position": "0"}
    assert owner.post(change, typed(*moved, initial=2, **kept)).status_code == 302
    assert options_of(field) == [("Halal", "Halal"), ("Vegan", "Plants")]
    gone = [{**both[0], "DELETE": "on"}, both[1]]
    refused = owner.post(change, typed(*gone, initial=2, **kept))
    assert refused.status_code == 200
    assert "1 contact" in refused.content.decode()
    assert len(options_of(field)) == 2


def test_archiving_hides_the_field_and_keeps_its_values(
    owner: Client, organisation: Organisation
) -> None:
    field = rows.field(organisation, label="Diet")
    contact = rows.contact(organisation, customFields={"diet": "Vegan"})
    form = typed(position="0", archived="on")
    assert owner.post(page("change", field), form).status_code == 302
    field.refresh_from_db()
    assert field.archived_at is not None
    shown = owner.get(reverse("admin:contacts_contact_change", args=[contact.pk]))
    assert "custom_diet" not in shown.context["adminform"].form.fields
    assert contact.custom_field_values.count() == 1


def test_deleting_says_how_many_contacts_lose_a_value(
    owner: Client, organisation: Organisation
) -> None:
    field = rows.field(organisation, label="Diet")
    contact = rows.contact(organisation, customFields={"diet": "Vegan"})
    asked = owner.get(page("delete", field)).content.decode()
    assert "The value of 1 contact is deleted too." in asked
    owner.post(page("delete", field), {"post": "yes"})
    assert not CustomField.objects.for_organisation(organisation).exists()
    assert not contact.custom_field_values.exists()


def test_whoever_may_only_look_sees_values_and_rules(
    api: Any, organisation: Organisation, staff_of: Callable[..., Client]
) -> None:
    options = ["Swimming", "Spa"]
    for definition in (
        {"label": "Card number", "type": "Text", "default": "none yet"},
        {"label": "Member since", "type": "Date"},
        {"label": "Newsletter", "type": "Boolean"},
        {"label": "Interests", "type": "Multi select", "options": options},
    ):
        assert api.post("/custom-fields", definition).status_code == 201
    values = {
        "card_number": "HC-17",
        "member_since": "2026-04-07",
        "newsletter": False,
        "interests": options,
    }
    body = {"emailAddress": "jane@example.com", "customFields": values, "tags": ["VIP"]}
    contact = api.post("/contacts", body).json()["id"]
    reader = staff_of(organisation, roles.READ_ONLY)

    shown = reader.get(f"/admin/contacts/contact/{contact}/change/").content.decode()
    for text in ("Card number", "HC-17", "7 Apr 2026", "No", "Swimming, Spa", "VIP"):
        assert text in shown
    field = CustomField.objects.for_organisation(organisation).get(name="card_number")
    assert "none yet" in reader.get(page("change", field)).content.decode()
