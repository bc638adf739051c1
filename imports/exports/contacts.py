"""The export of contacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, cast

from django.db.models import Count, F, QuerySet

from contacts import details
from contacts.details import Details
from contacts.models import Address, Contact
from contacts.querysets import ContactQuerySet
from contacts.services.tags import MANAGED
from contacts.services.values import ADDRESS_COLUMNS
from crm.api.ordering import by
from crm.api.pagination import in_chunks
from customfields.models import CustomField, CustomFieldValue
from customfields.types.base import shown
from imports.exports.columns import Column, GetCell, chosen, lookups, moment, text
from imports.exports.plans import CHUNK
from imports.files.source import Cell
from imports.files.spreadsheet import CLEAR, quote_marker
from imports.files.writing import Listed
from imports.headers import MAX_ADDRESSES, add_custom_fields, contact_vocabulary
from organisations.models import Organisation

Values = Mapping[int, Sequence[Any]]
"""The value rows of a contact, by the field's id."""

DETAILS = "details"
"""What a column reads that is in no row of the query but in `Told.details`."""

_NOTHING: Values = {}
_OLDEST_FIRST = by("created_at")  # as the index `contact_newest`, read from its end
_GROUPS = {"address": "address", "addresses": "address", "customfields": "customFields."}


@dataclass(slots=True)
class Told:
    """A contact with what stands beside its own row."""

    row: Any
    details: Details
    values: Values


class ContactsExport:
    """Contacts, oldest first, so that an import makes them in the same order again.

    At most three queries for each chunk: the rows, their details, their custom values. Tags that
    follow a rule are left out, because no import may put them on. Redacted contacts, of whom an
    import can take nothing, are there only with a column that is not for imports anyway.
    """

    name = "contacts"

    def __init__(
        self,
        organisation: Organisation,
        contacts: ContactQuerySet,
        *,
        fields: Sequence[str] | None = None,
        with_totals: bool = False,
        without_ids: bool = False,
    ) -> None:
        """Raises Unusable for a name in `fields` that no column has."""
        self._organisation = organisation
        custom = list(CustomField.objects.for_organisation(organisation))
        columns = [*_OWN, *_addresses(organisation), *map(_custom, _active(custom))]
        vocabulary = contact_vocabulary()
        add_custom_fields(vocabulary, [(field.name, field.label) for field in reversed(custom)])
        archived = [_custom(field) for field in custom if field.archived_at is not None]
        read_only = _read_only(organisation)
        picked = chosen(
            columns,
            fields,
            vocabulary,
            more=[*read_only, *archived],
            groups=_GROUPS,
            without_ids=without_ids,
        )
        if with_totals:
            there = {one.header for one in picked}
            picked += [one for one in read_only if one.header not in there]
        self.columns: Sequence[Column] = picked
        held = {_custom_header(field): field for field in custom}
        self._custom = [held[one.header] for one in self.columns if one.header in held]
        self._details = any(DETAILS in one.reads for one in self.columns)
        rows = contacts.for_organisation(organisation).current()
        if not any(one.is_read_only for one in self.columns):
            rows = rows.filter(redacted_at=None)
        self.rows: QuerySet[Any] = rows.order_by()

    def chunks(self) -> Iterator[list[Told]]:
        paths = [path for path in lookups(self.columns, "pk", "created_at") if path != DETAILS]
        named = self.rows.values_list(*paths, named=True)
        for rows in in_chunks(named, _OLDEST_FIRST, CHUNK):
            # Of a contact only the id is read there.
            beside = details.of(cast("list[Contact]", rows)) if self._details else {}
            values = self._values([row.pk for row in rows])
            nothing = Details()
            yield [
                Told(row, beside.get(row.pk, nothing), values.get(row.pk, _NOTHING)) for row in rows
            ]

    def _values(self, ids: Sequence[int]) -> Mapping[int, Values]:
        """What the contacts of these ids have in custom fields. One query; none without fields.

        The fields do not stand in it, nor the organisation: SQLite would take an index of theirs,
        and read what everybody has.
        """
        found: dict[int, dict[int, list[Any]]] = {}
        if not self._custom:
            return found
        rows = CustomFieldValue.objects.across_organisations().filter(contact__in=ids)
        columns = {field.kind.column for field in self._custom} - {"value_option"}
        if any(field.kind.has_options for field in self._custom):
            rows = rows.annotate(option_value=F("value_option__value"))
            rows = rows.order_by("value_option__position", "value_option_id")
            columns.add("option_value")
        named = rows.values_list("contact_id", "field_id", *sorted(columns), named=True)
        for row in named:
            found.setdefault(row.contact_id, {}).setdefault(row.field_id, []).append(row)
        return found


def _active(fields: Sequence[CustomField]) -> list[CustomField]:
    return [field for field in fields if field.archived_at is None]


def _custom_header(field: CustomField) -> str:
    return f"customFields.{field.name}"


def _custom(field: CustomField) -> Column:
    key, kind = field.pk, field.kind
    # An empty cell of a new contact would become the default.
    unset = CLEAR if field.default is not None and not field.required else None

    def cell(told: Told) -> Cell:
        rows = told.values.get(key)
        return unset if rows is None else _cell(kind.from_rows(rows), kind.typed)

    target = f"custom_fields.{field.name}" if field.archived_at is None else None
    return Column(_custom_header(field), cell, target=target)


def _cell(value: Any, typed: Any) -> Cell:
    """A custom value as a cell. Numbers stay exact, which their JSON form is not."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else Decimal(shown(value))
    found = typed(value)
    if isinstance(found, str):
        return quote_marker(found)
    return Listed(found) if isinstance(found, list) else found


def _addresses(organisation: Organisation) -> list[Column]:
    """Seven columns for each address that some contact has, at least for one. Where somebody has
    more than an import has headers for, one column with all of them as JSON. One query."""
    addresses = Address.objects.for_organisation(organisation)
    counted = addresses.values("contact").annotate(number=Count("pk")).order_by("-number")
    most = counted.values_list("number", flat=True).first() or 1
    if most > MAX_ADDRESSES:
        whole = attrgetter("details.addresses")
        return [Column("addresses", whole, (DETAILS,), "addresses")]
    return [
        Column(
            f"address{place + 1 if place else ''}.{part}",
            _address(place, part),
            (DETAILS,),
            f"addresses.{place}.{part}",
        )
        for place in range(most)
        for part in ADDRESS_COLUMNS
    ]


def _address(place: int, part: str) -> GetCell:
    def cell(told: Told) -> Cell:
        addresses = told.details.addresses
        return quote_marker(addresses[place][part]) if place < len(addresses) else None

    return cell


def _tags(told: Told) -> Cell:
    return Listed(tag["name"] for tag in told.details.tags if tag["kind"] not in MANAGED)


def _own(header: str, path: str, make: Any = text, **more: Any) -> Column:
    return Column(header, make(f"row.{path}"), (path,), **more)


_OWN = [
    _own("id", "pk", attrgetter, target="id", is_id=True),
    _own("kind", "kind", target="kind"),
    _own("firstName", "first_name", target="first_name"),
    _own("lastName", "last_name", target="last_name"),
    _own("name", "name", target="name"),
    _own("emailAddress", "email_address", target="email_address"),
    _own("phoneNumber", "phone_number", target="phone_number"),
    _own("phoneNumberCountryCode", "phone_number_country_code", target="phone_number_country_code"),
    _own("dob", "dob", moment, target="dob"),
    _own("timezone", "timezone", target="timezone"),
    Column("tags", _tags, (DETAILS,), "tags"),
]


def _read_only(organisation: Organisation) -> list[Column]:
    """What the system keeps, as the API tells it."""
    own = organisation.currency_code

    def spend_by_currency(told: Told) -> Cell:
        total = told.row.rollup__total_spend
        return ({own: total} if total else {}) | told.details.foreign_spend or None

    def invites(told: Told) -> Cell:
        return told.details.invites

    return [
        _own("phoneNumberE164", "phone_number_e164"),
        _own("totalSpend", "rollup__total_spend", attrgetter),
        Column("spendByCurrency", spend_by_currency, (DETAILS, "rollup__total_spend")),
        _own("totalOrders", "rollup__total_orders", attrgetter),
        _own("lastInteractedAt", "rollup__last_interacted_at", moment),
        _own("recency", "rollup__recency", attrgetter),
        _own("frequency", "rollup__frequency", attrgetter),
        _own("monetary", "rollup__monetary", attrgetter),
        Column("referralInvites", invites, (DETAILS,)),
        _own("createdAt", "created_at", moment),
        _own("updatedAt", "rollup__changed_at", moment),
        _own("redactedAt", "redacted_at", moment),
    ]
