"""The variables that a template may name: their shapes, and samples of them.

What a contact, an activity and the organisation are is what the API tells of them, by the same
names. A shape is a `Kind`, a dict of shapes by name, or a list of one shape.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from typing import Any, TypeAlias

from activities.reservations import KINDS
from contacts.parts import PARTS
from crm.api.names import camel
from customfields.models import CustomField
from organisations.models import Organisation


class Kind(Enum):
    """What a variable holds. The value is a sample of it."""

    # A text may hold a number that a template reckons with, so the sample does.
    TEXT = "7"
    NUMBER = 7
    MONEY = 4500
    DATE = "2026-04-07"
    MOMENT = "2026-04-07T14:30:00+00:00"
    YES_NO = True
    ANYTHING = None


Shape: TypeAlias = "Kind | dict[str, Shape] | list[Shape]"

_TEXT, _NUMBER, _MOMENT = Kind.TEXT, Kind.NUMBER, Kind.MOMENT

_ADDRESS: Shape = dict.fromkeys(
    ("type", "line1", "line2", "city", "county", "postcode", "country"), _TEXT
)
_CONTACT: dict[str, Shape] = {
    "id": _NUMBER,
    "organisation": _NUMBER,
    "kind": _TEXT,
    "emailAddress": _TEXT,
    "phoneNumber": _TEXT,
    "phoneNumberCountryCode": _TEXT,
    "phoneNumberE164": _TEXT,
    "firstName": _TEXT,
    "lastName": _TEXT,
    "name": _TEXT,
    "dob": Kind.DATE,
    "timezone": _TEXT,
    "addresses": [_ADDRESS],
    "tags": [{"id": _NUMBER, "name": _TEXT, "kind": _TEXT}],
    "totalSpend": Kind.MONEY,
    "spendByCurrency": Kind.ANYTHING,
    "totalOrders": _NUMBER,
    "lastInteractedAt": _MOMENT,
    "recency": _NUMBER,
    "frequency": _NUMBER,
    "monetary": _NUMBER,
    "referralInvites": [_NUMBER],
    "createdAt": _MOMENT,
    "updatedAt": _MOMENT,
    "redactedAt": _MOMENT,
}
_ACTIVITY: dict[str, Shape] = {
    "id": _NUMBER,
    "contact": _NUMBER,
    "type": _TEXT,
    "source": _TEXT,
    "happenedAt": _MOMENT,
    "spend": Kind.MONEY,
    "currencyCode": _TEXT,
    "externalReference": _TEXT,
    "purchase": _TEXT,
    "giftCard": _TEXT,
    "referralInvite": _NUMBER,
    "data": Kind.ANYTHING,
    "createdAt": _MOMENT,
    "updatedAt": _MOMENT,
}
_ORGANISATION: dict[str, Shape] = {
    "id": _NUMBER,
    "name": _TEXT,
    "hashId": _TEXT,
    "currencyCode": _TEXT,
    "country": _TEXT,
    "timezone": _TEXT,
    "locale": _TEXT,
}
_RUN: dict[str, Shape] = {
    "id": _NUMBER,
    "workflowId": _NUMBER,
    "workflowName": _TEXT,
    "createdAt": _MOMENT,
    "triggerData": Kind.ANYTHING,
    "context": Kind.ANYTHING,
}
_BY_COLUMN = {
    "BooleanField": Kind.YES_NO,
    "DateTimeField": _MOMENT,
    "CharField": _TEXT,
    "TextField": _TEXT,
}
_BY_FIELD_TYPE: dict[str, Shape] = {
    "Number": _NUMBER,
    "Date": Kind.DATE,
    "Boolean": Kind.YES_NO,
    "Multi select": [_TEXT],
}


def known(organisation: Organisation, about: Collection[str] = ("contact",)) -> dict[str, Shape]:
    """Every variable that a message about these may name. `about` says whether there is an
    activity. One query, for the custom fields."""
    shapes: dict[str, Shape] = {
        "contact": _contact(organisation),
        "organisation": _ORGANISATION,
        "run": _RUN,
        "unsubscribeUrl": _TEXT,
        "now": _MOMENT,
        "today": Kind.DATE,
    }
    if "activity" in about:
        shapes["activity"] = _activity()
    return shapes


def paths(shapes: dict[str, Shape], before: str = "") -> list[str]:
    """What a template writes for each variable: `contact.firstName`. Those within lists are not
    among them: which of them is meant, only a loop says."""
    found: list[str] = []
    for name, shape in shapes.items():
        path = f"{before}{name}"
        found += paths(shape, f"{path}.") if isinstance(shape, dict) else [path]
    return found


def sample(shape: Shape) -> Any:
    """A value of this shape."""
    if isinstance(shape, dict):
        return {name: sample(inner) for name, inner in shape.items()}
    if isinstance(shape, list):
        return [sample(inner) for inner in shape]
    return shape.value


def _contact(organisation: Organisation) -> Shape:
    fields = CustomField.objects.for_organisation(organisation).values_list("name", "type")
    of_parts: dict[str, Shape] = {name: Kind.ANYTHING for part in PARTS for name in part.fields()}
    custom: Shape = {name: _BY_FIELD_TYPE.get(type_, _TEXT) for name, type_ in fields}
    return of_parts | _CONTACT | {"customFields": custom}


def _activity() -> Shape:
    return _ACTIVITY | {camel(kind.name): _reservation(kind) for kind in KINDS}


def _reservation(kind: Any) -> Shape:
    shape: dict[str, Shape] = {"id": _NUMBER, "contact": _NUMBER}
    for column in kind.model._meta.concrete_fields:
        if column.name in {*kind.columns, "created_at", "updated_at"}:
            shape[camel(column.name)] = _BY_COLUMN.get(type(column).__name__, _NUMBER)
    return shape | ({"total": Kind.MONEY} if "total" in shape else {})
