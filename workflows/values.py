"""What templates, keys and simulations may speak of: a contact, an activity, a run, in the API's
words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from activities.models import Activity
from activities.serializers import represent
from contacts import details
from contacts.models import Contact
from crm.api import json
from organisations.models import Organisation

if TYPE_CHECKING:
    from workflows.steps.base import Moment


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """These values as JSON tells them: what a JSON column can hold. NUL, which PostgreSQL cannot
    keep, is left out of texts."""
    text = json.dumps(values)
    told: dict[str, Any] = orjson.loads(text.replace(b"\\u0000", b""))
    return told


def contact_values(organisation: Organisation, contact: Contact) -> dict[str, Any]:
    """The contact as `GET /contacts/{id}` tells it, as it is now. Three queries or so."""
    contact._state.fields_cache.pop("rollup", None)  # the totals may have moved since it was read
    (told,) = details.told([contact], organisation.currency_code)
    return told


def activity_values(activity: Activity) -> dict[str, Any]:
    """The activity as `GET /activities/{id}` tells it."""
    return represent(activity)


def template_values(moment: Moment) -> dict[str, Any]:
    """See `Moment.template_values`."""
    organisation, run = moment.organisation, moment.run
    values: dict[str, Any] = {
        "contact": contact_values(organisation, moment.contact),
        "organisation": {
            "id": organisation.pk,
            "name": organisation.name,
            "hashId": organisation.hash_id,
            "currencyCode": organisation.currency_code,
            "country": organisation.country,
            "timezone": organisation.timezone,
        },
        "run": {
            "id": run.pk,
            "workflowId": run.workflow_id,
            "workflowName": run.workflow.name,
            "createdAt": run.created_at,
            "triggerData": run.trigger_data,
            "context": run.context,
        },
        "now": moment.now,
    }
    values["activity"] = activity_values(moment.activity) if moment.activity is not None else None
    return values
