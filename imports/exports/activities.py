"""The export of activities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

from django.db import models
from django.db.models import QuerySet

from activities.models import Activity
from activities.reservations import KINDS, Kind
from crm.api.names import camel
from crm.api.ordering import by
from crm.api.pagination import in_chunks
from imports.exports.columns import Column, GetCell, chosen, lookups, moment, text
from imports.exports.plans import CHUNK
from imports.files.source import Cell
from imports.headers import activity_vocabulary
from organisations.models import Organisation

_OLDEST_FIRST = by("happened_at")  # as the index `activity_newest`, read from its end


class ActivitiesExport:
    """Activities, in the order in which they happened. One query for each chunk.

    The columns of bookings are there when the organisation has a booking; likewise those of golf
    and table reservations.
    """

    name = "activities"

    def __init__(
        self,
        organisation: Organisation,
        activities: QuerySet[Activity],
        *,
        fields: Sequence[str] | None = None,
        without_ids: bool = False,
    ) -> None:
        """Raises Unusable for a name in `fields` that no column has."""
        kinds = [kind for kind in KINDS if _rows(kind, organisation).exists()]
        self.columns: Sequence[Column] = chosen(
            [*_OWN, *(column for kind in kinds for column in _reservation(kind))],
            fields,
            activity_vocabulary({kind.name: kind.columns for kind in KINDS}),
            more=_READ_ONLY,
            groups={camel(kind.name).lower(): f"{camel(kind.name)}." for kind in kinds},
            without_ids=without_ids,
        )
        self.rows: QuerySet[Any] = activities.filter(organisation=organisation).order_by()

    def chunks(self) -> Iterator[list[Any]]:
        paths = lookups(self.columns, "pk", "happened_at")
        named = self.rows.values_list(*paths, named=True)
        return in_chunks(named, _OLDEST_FIRST, CHUNK)


def _rows(kind: Kind, organisation: Organisation) -> QuerySet[Any]:
    return kind.model.objects.filter(organisation=organisation)


def _data(row: Any) -> Cell:
    return row.data or None


def _column(header: str, path: str, make: Any = text, target: str | None = None) -> Column:
    return Column(header, make(path), (path,), target)


def _reservation(kind: Kind) -> list[Column]:
    fields = [field for field in kind.model._meta.concrete_fields if field.name in kind.columns]
    return [
        _column(
            f"{camel(kind.name)}.{camel(field.name)}",
            f"{kind.name}__{field.name}",
            _maker(field),
            f"{kind.name}.{field.name}",
        )
        for field in fields
    ]


def _maker(field: models.Field[Any, Any]) -> type[attrgetter[Any]] | Any:
    if isinstance(field, models.DateTimeField):
        return moment
    return attrgetter if isinstance(field, models.IntegerField) else text


def _id(header: str, path: str, target: str) -> Column:
    get: GetCell = attrgetter(path)
    return Column(header, get, (path,), target, is_id=True)


_OWN = [
    _id("contact", "contact_id", "contact.id"),
    _column("contact.emailAddress", "contact__email_address", target="contact.email_address"),
    _column("contact.phoneNumber", "contact__phone_number", target="contact.phone_number"),
    _column(
        "contact.phoneNumberCountryCode",
        "contact__phone_number_country_code",
        target="contact.phone_number_country_code",
    ),
    _column("type", "type", target="type"),
    _column("source", "source", target="source"),
    _column("happenedAt", "happened_at", moment, "happened_at"),
    _column("spend", "spend", attrgetter, "spend"),
    _column("currencyCode", "currency_code", target="currency_code"),
    _column("externalReference", "external_reference", target="external_reference"),
    _column("purchase", "purchase", target="purchase"),
    _column("giftCard", "gift_card", target="gift_card"),
    _id("referralInvite", "referral_invite_id", "referral_invite"),
    Column("data", _data, ("data",), "data"),
]
_READ_ONLY = [
    _column("id", "pk", attrgetter),
    _column("createdAt", "created_at", moment),
    _column("updatedAt", "updated_at", moment),
]
