"""An organisation with what steps and triggers speak of, and clients who work in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from contacts.segments import services as segments
from customfields import services as custom_fields
from organisations.models import Organisation
from tests.admin.conftest import owner, staff_of
from workflows import services
from workflows.models import Workflow

__all__ = ["owner", "staff_of"]


@pytest.fixture
def given(organisation: Organisation) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Makes the keys of an example true: its ids are those of what is there."""
    segment = segments.create(organisation=organisation, name="Guests", rules={"all": []})
    other = services.create(
        organisation=organisation, name="Other", trigger={"type": "manual"}, steps=[]
    )
    custom_fields.define(organisation=organisation, label="Diet", name="diet", type="Text")
    ids = {"{segment}": segment.pk, "{other}": other.pk}
    return lambda keys: {
        key: ids.get(value, value) if isinstance(value, str) else value
        for key, value in keys.items()
    }


@pytest.fixture
def workflow(organisation: Organisation) -> Workflow:
    """A small one, a Draft."""
    return services.create(
        organisation=organisation,
        name="Hello",
        trigger={"type": "activity_created"},
        steps=[
            {
                "id": "fork",
                "type": "condition",
                "conditions": {"all": []},
                "then": [{"id": "tag", "type": "add_tag", "tag": "VIP"}],
                "else": [],
            },
            {"id": "end", "type": "exit"},
        ],
    )


@pytest.fixture
def ask(owner: Client) -> Callable[..., Any]:
    """`ask("draw", trigger, steps, **fields)`: what the canvas asks of a draft."""

    def answer(page: str, trigger: Any, steps: Any, **fields: Any) -> Any:
        document = json.dumps({"trigger": trigger, "steps": steps})
        client = fields.pop("client", owner)
        address = reverse(f"admin:workflows_workflow_{page}")
        return client.post(address, {"document": document, **fields})

    return answer
