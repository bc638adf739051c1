"""Segments in the admin: a rule as JSON, its errors beside it, its contacts by a link."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts import segments
from contacts.models import Segment
from organisations import roles
from organisations.models import Organisation
from tests.admin import rows

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
    assert errors == [
        "all.0.field: There is no field contact.totalSpent. Did you mean contact.totalSpend?"
    ]
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
    assert reader.get(address).status_code == 200
    assert reader.post(address, {"name": "Mine", "rules": "{}"}).status_code == 403
    assert reader.get(reverse("admin:contacts_segment_add")).status_code == 403
