"""Arranging custom fields: groups, and the order within and among them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from customfields import services
from customfields.models import CustomField
from customfields.services.arranging import in_sections
from organisations.models import Organisation
from tests.factories import OrganisationFactory

pytestmark = pytest.mark.django_db


def define(organisation: Organisation, label: str, group: str = "") -> CustomField:
    return services.define(organisation=organisation, label=label, type="Text", group=group)


def seen(organisation: Organisation) -> dict[str, list[str]]:
    """The labels by group, in the order of the form."""
    fields = CustomField.objects.for_organisation(organisation)
    return {
        group: [field.label for field in section] for group, section in in_sections(fields).items()
    }


@pytest.fixture
def fields(organisation: Organisation) -> dict[str, CustomField]:
    """Diet and Allergies in "Food", Pillow in "Room"."""
    labels = {"Diet": "Food", "Allergies": "Food", "Pillow": "Room"}
    return {label: define(organisation, label, group) for label, group in labels.items()}


def test_a_field_moves_within_its_group_and_into_another(
    organisation: Organisation, fields: dict[str, CustomField]
) -> None:
    services.place(field=fields["Allergies"], group="Food")
    assert seen(organisation) == {"Food": ["Allergies", "Diet"], "Room": ["Pillow"]}
    services.place(field=fields["Diet"], group="Room", after=fields["Pillow"].pk)
    assert seen(organisation) == {"Food": ["Allergies"], "Room": ["Pillow", "Diet"]}
    services.place(field=fields["Allergies"], group="Spa")
    assert seen(organisation) == {"Room": ["Pillow", "Diet"], "Spa": ["Allergies"]}


def test_behind_a_field_that_went_elsewhere_means_at_the_end(
    organisation: Organisation, fields: dict[str, CustomField]
) -> None:
    services.place(field=fields["Pillow"], group="Food", after=10**9)
    assert seen(organisation) == {"Food": ["Diet", "Allergies", "Pillow"]}


def test_a_group_moves_and_is_renamed_with_its_fields(
    organisation: Organisation, fields: dict[str, CustomField]
) -> None:
    services.place_group(organisation=organisation, group="Room")
    assert list(seen(organisation)) == ["Room", "Food"]
    services.place_group(organisation=organisation, group="Room", after="Food")
    assert list(seen(organisation)) == ["Food", "Room"]
    services.rename_group(organisation=organisation, group="Food", name="  Kitchen ")
    assert seen(organisation) == {"Kitchen": ["Diet", "Allergies"], "Room": ["Pillow"]}
    services.rename_group(organisation=organisation, group="Kitchen", name="Room")
    assert seen(organisation) == {"Room": ["Pillow", "Diet", "Allergies"]}


@pytest.mark.parametrize("name", ["x" * 81, "two\nlines", "bell\x07"])
def test_a_name_that_no_group_may_have_is_refused(
    organisation: Organisation, fields: dict[str, CustomField], name: str
) -> None:
    before = seen(organisation)
    with pytest.raises(ValidationError):
        services.place(field=fields["Diet"], group=name)
    with pytest.raises(ValidationError):
        services.rename_group(organisation=organisation, group="Food", name=name)
    with pytest.raises(ValidationError):
        services.place_group(organisation=organisation, group="Nowhere")
    assert seen(organisation) == before


def test_fields_of_others_stay_where_they_are(
    organisation: Organisation, fields: dict[str, CustomField]
) -> None:
    other = OrganisationFactory()
    define(other, "Theirs", "Food")
    services.rename_group(organisation=organisation, group="Food", name="Kitchen")
    services.place(field=fields["Pillow"], group="Kitchen")
    assert seen(other) == {"Food": ["Theirs"]}


@given(
    moves=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["", "A", "B"]), st.integers(-1, 5)),
        max_size=12,
    )
)
def test_no_move_loses_a_field_or_splits_a_group(
    moves: list[tuple[int, str, int]],
) -> None:
    organisation = OrganisationFactory()
    made = [define(organisation, f"F{number}", "AB"[number % 2]) for number in range(6)]
    for moved, group, after in moves:
        behind = made[after].pk if after >= 0 else None
        services.place(field=made[moved], group=group, after=behind)
        fields = CustomField.objects.for_organisation(organisation).order_by("position", "pk")
        rows = list(fields.values_list("label", "group", "position"))
        assert sorted(label for label, _group, _position in rows) == [f"F{n}" for n in range(6)]
        assert [position for _label, _group, position in rows] == list(range(6))
        groups = [group for _label, group, _position in rows]
        runs = [one for index, one in enumerate(groups) if index == 0 or groups[index - 1] != one]
        assert len(runs) == len(set(runs))
