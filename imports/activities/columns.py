"""Reading the cells of activities, a column at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone as clock
from django.utils.translation import gettext as _

from activities.models import (
    GIFT_CARD_REGISTERED,
    MAX_DATA_BYTES,
    MAX_SPEND,
    Activity,
    validate_data,
)
from activities.querysets import Fact
from activities.reservations import KINDS
from activities.services.values import Draft, read
from contacts.services.values import Errors
from crm.api.references import parse_reference
from customfields.definitions import Definitions
from imports import cells as written
from imports.files.source import Cell, Chunk
from imports.files.spreadsheet import CLEAR, unguard, unquote_marker
from imports.headers import IGNORE
from imports.options import Options
from imports.people.columns import People, PeopleColumns
from imports.readers import MOST_REMEMBERED, ColumnReader
from organisations.models import Organisation, validate_currency

WRITTEN = (
    "type",
    "source",
    "happened_at",
    "spend",
    "currency_code",
    "external_reference",
    "purchase",
    "gift_card",
    "data",
)
"""The activity's own columns, those that a row can fill by itself."""

_LONGEST = {
    column.name: column.max_length or 0
    for column in Activity._meta.concrete_fields
    if isinstance(column, models.CharField)
}
_MOST_BYTES_A_CHARACTER = 6
"""In JSON: that of a control character, ``\\u0007``."""
RESERVATIONS: dict[str, dict[str, models.Field[Any, Any]]] = {
    kind.name: {
        column.name: column
        for column in kind.model._meta.concrete_fields
        if column.name in kind.columns
    }
    for kind in KINDS
}
"""The columns of each kind of reservation, by the kind's name."""
_MONEY = {"spend", "booking.total"}


@dataclass(slots=True)
class CarefulRow:
    """An activity that the service reads: what it is given, and what it made of it, or why it
    cannot be taken at all."""

    values: dict[str, Any]
    draft: Draft | None = None
    error: ValidationError | None = None

    @property
    def has_reservations(self) -> bool:
        """Whether it speaks of bookings or the like."""
        return self.draft is not None and bool(self.draft.reservations)

    @property
    def invite(self) -> int | None:
        """The referral invite that it speaks of."""
        return self.draft.referral_invite if self.draft is not None else None


@dataclass(slots=True)
class Happenings:
    """A chunk of rows, read.

    `columns` has a list for each of `WRITTEN`, with an entry for each row; those of a row that has
    an error mean nothing. `ids` are the contacts' where the file gives them.
    """

    chunk: Chunk
    columns: dict[str, list[Any]] = field(default_factory=dict)
    facts: list[tuple[Fact, ...]] = field(default_factory=list)
    ids: list[int | None] | None = None
    people: People | None = None
    careful: dict[int, CarefulRow] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.chunk.rows)


class ActivityColumns(ColumnReader):
    """Reads chunks of a file whose headers mean `targets`."""

    def __init__(
        self,
        organisation: Organisation,
        targets: Sequence[str],
        definitions: Definitions,
        options: Options,
        *,
        guarded: bool,
    ) -> None:
        super().__init__(guarded=guarded)
        self.organisation = organisation
        of_contacts = [_of_contact(target) for target in targets]
        self.people = (
            PeopleColumns(organisation, of_contacts, definitions, options, guarded=guarded)
            if any(of_contacts)
            else None
        )
        self._at = {
            target: i
            for i, target in enumerate(targets)
            if target != IGNORE and _of_contact(target) == IGNORE
        }
        self._options = options
        self._zone = ZoneInfo(options.timezone or organisation.timezone)
        self._defaults = {"type": options.type, "source": options.source}
        self._amounts_read: dict[tuple[str, str], int | None] = {}

    def read(self, chunk: Chunk) -> Happenings:
        """Read a chunk. No query."""
        happenings = Happenings(chunk)
        if not chunk.rows:
            return happenings
        doubtful: set[int] = set()
        by_column = list(zip(*chunk.rows, strict=True))
        texts = {
            target: self._tidy(by_column[index], doubtful)
            for target, index in self._at.items()
            if target != "data"
        }
        if self.people is not None:
            happenings.people = self.people.read(chunk)
        if "contact.id" in texts:
            happenings.ids = self._each("id", texts["contact.id"], _id, doubtful)
            if self.people is None:
                doubtful.update(i for i, pk in enumerate(happenings.ids) if pk is None)
        happenings.columns = columns = self._columns(texts, len(chunk.rows), doubtful)
        columns["data"] = self._data(texts, by_column, len(chunk.rows), doubtful)
        for index in sorted(doubtful):
            self._read_with_care(happenings, index)
        happenings.facts = [
            (("external_reference", type_, reference),) if reference is not None else ()
            for type_, reference in zip(columns["type"], columns["external_reference"], strict=True)
        ]
        if GIFT_CARD_REGISTERED in columns["type"]:
            for index, type_ in enumerate(columns["type"]):
                card = columns["gift_card"][index]
                if type_ == GIFT_CARD_REGISTERED and card is not None:
                    happenings.facts[index] += (("gift_card", type_, card),)
        return happenings

    def _columns(
        self, texts: Mapping[str, list[str]], count: int, doubtful: set[int]
    ) -> dict[str, list[Any]]:
        """All of `WRITTEN` but the data, as far as they are plainly fine."""
        for target, column in texts.items():
            if target.partition(".")[0] in RESERVATIONS or target == "referral_invite":
                doubtful.update(i for i, text in enumerate(column) if text)
        nothing = [""] * count
        columns: dict[str, list[Any]] = {}
        for name in ("type", "source", "external_reference", "purchase", "gift_card"):
            column = texts.get(name, nothing)
            limit = _LONGEST[name]
            if max(map(len, column)) > limit:
                doubtful.update(i for i, text in enumerate(column) if len(text) > limit)
            columns[name] = column if name in self._defaults else [text or None for text in column]
        for name, default in self._defaults.items():
            if "" in columns[name]:
                if default is not None and len(default) <= _LONGEST[name]:
                    columns[name] = [text or default for text in columns[name]]
                else:
                    doubtful.update(i for i, text in enumerate(columns[name]) if not text)
        columns["happened_at"] = self._moments(texts.get("happened_at", nothing), doubtful)
        own = self.organisation.currency_code
        currencies = self._each(
            "currency", texts.get("currency_code", nothing), _currency, doubtful
        )
        columns["currency_code"] = [currency or own for currency in currencies]
        columns["spend"] = self._amounts(
            texts.get("spend", nothing), columns["currency_code"], doubtful
        )
        return columns

    def _moments(self, column: list[str], doubtful: set[int]) -> list[datetime | None]:
        # The service knows how far ahead another clock may be.
        latest = clock.now() - timedelta(minutes=1)
        zone, date_format, read_moment = self._zone, self._options.date_format, written.moment
        moments: list[datetime | None] = []
        for index, text in enumerate(column):
            moment = None
            if text:
                try:
                    moment = read_moment(text, zone, date_format)
                except ValidationError:
                    moment = None
            if moment is None or moment > latest:
                doubtful.add(index)
            moments.append(moment)
        return moments

    def _amounts(
        self, column: list[str], currencies: Sequence[str], doubtful: set[int]
    ) -> list[int]:
        known = self._amounts_read
        if len(known) > MOST_REMEMBERED:
            known.clear()
        pairs = list(zip(column, currencies, strict=True))
        for pair in set(pairs) - known.keys():
            try:
                amount = self._amount(*pair)
            except ValidationError:
                known[pair] = None
            else:
                known[pair] = amount if abs(amount) <= MAX_SPEND else None
        amounts = [known[pair] for pair in pairs]
        doubtful.update(i for i, amount in enumerate(amounts) if amount is None)
        return [amount or 0 for amount in amounts]

    def _amount(self, text: str, currency: str) -> int:
        if not text:
            return 0
        if self._options.spend_in == "major":
            return written.major_units(text, currency)
        return written.minor_units(text)

    def _data(
        self,
        texts: Mapping[str, list[str]],
        by_column: Sequence[Sequence[Cell]],
        count: int,
        doubtful: set[int],
    ) -> list[dict[str, Any]]:
        single = [(target[5:], column) for target, column in texts.items() if target[:5] == "data."]
        room = MAX_DATA_BYTES // _MOST_BYTES_A_CHARACTER // (len(single) or 1)
        for name, column in single:
            longest = room - len(name) - 2
            doubtful.update(
                i for i, text in enumerate(column) if len(text) > longest or "\\u0000" in text
            )
        data: list[dict[str, Any]] = [
            {name: column[i] for name, column in single if column[i]} if single else {}
            for i in range(count)
        ]
        if "data" in self._at:
            for index, cell in enumerate(by_column[self._at["data"]]):
                if not cell or (isinstance(cell, str) and not cell.strip()):
                    continue
                whole = written.as_json(cell)
                if single or not _is_data(whole):
                    doubtful.add(index)
                else:
                    data[index] = whole
        return data

    # With care.

    def _read_with_care(self, happenings: Happenings, index: int) -> None:
        """Read the row as the service does, errors and all, and put what it makes of it into the
        columns."""
        errors = Errors()
        values, pk = self._values(happenings.chunk.rows[index], errors)
        # Whose it is, is found out by the importer: any id will do for the rest.
        if self.people is not None or pk is not None or "contact" in errors.paths():
            values["contact"] = 1
        careful = happenings.careful[index] = CarefulRow(values)
        try:
            careful.draft = read(self.organisation, values)
        except ValidationError as error:
            for path in error.error_dict.keys() - errors.paths():
                errors.add(ValidationError({path: error.error_dict[path]}))
        try:
            errors.raise_any()
        except ValidationError as error:
            careful.error = error
        if happenings.ids is not None:
            happenings.ids[index] = pk
        if careful.draft is not None:
            for name in WRITTEN:
                happenings.columns[name][index] = getattr(careful.draft.activity, name)

    def _values(self, row: Sequence[Cell], errors: Errors) -> tuple[dict[str, Any], int | None]:
        """What the service is to be given of a row, but for the contact; and the contact's id."""
        values: dict[str, Any] = {"backfill": self._options.backfill}
        values |= {name: default for name, default in self._defaults.items() if default}
        money: list[tuple[str, Any]] = []
        pk: int | None = None
        for target, at in self._at.items():
            cell = self._cell(row[at])
            if cell is None:
                continue
            try:
                if target == "contact.id":
                    pk = parse_reference(cell, "contacts")
                elif target in _MONEY:
                    money.append((target, cell))
                else:
                    self._put(values, target, cell)
            except ValidationError as error:
                errors.add(error, "contact" if target == "contact.id" else target)
        self._put_money(values, money, errors)
        return values, pk

    def _cell(self, cell: Cell) -> Any:
        """What the cell says; None when it is empty, or has the mark that clears: a new activity
        has nothing to be cleared."""
        if isinstance(cell, str):
            text = (unguard(cell) if self._guarded else cell).strip()
            return unquote_marker(text) if text and text != CLEAR else None
        return cell or None

    def _put_money(
        self, values: dict[str, Any], money: Sequence[tuple[str, Any]], errors: Errors
    ) -> None:
        """Amounts are read last: in which currency they are must be known before."""
        for target, cell in money:
            head, _dot, rest = target.partition(".")
            owner = values.setdefault(head, {}) if rest else values
            currency = owner.get("currency_code") or values.get("currency_code")
            try:
                owner[rest or head] = self._amount(
                    str(cell), str(currency or self.organisation.currency_code)
                )
            except ValidationError as error:
                errors.add(error, target)

    def _put(self, values: dict[str, Any], target: str, cell: Any) -> None:
        head, _dot, rest = target.partition(".")
        if target == "data":
            data = written.as_json(cell)
            if not isinstance(data, dict):
                raise ValidationError(_("This must be a JSON object."), code="not_an_object")
            values["data"] = data | values.get("data", {})
        elif head == "data":
            values["data"] = {**values.get("data", {}), rest: cell}
        elif head in RESERVATIONS:
            values.setdefault(head, {})[rest] = self._value(RESERVATIONS[head][rest], cell)
        elif target == "referral_invite":
            values[target] = parse_reference(cell, "referral-invites")
        else:
            values[target] = self._value(Activity._meta.get_field(target), cell)

    def _value(self, column: Any, cell: Any) -> Any:
        if not isinstance(cell, str):
            raise ValidationError(_("This must be a text."), code="invalid")
        if isinstance(column, models.DateTimeField):
            return written.moment(cell, self._zone, self._options.date_format)
        if isinstance(column, models.IntegerField):
            return _whole(cell)
        return cell.upper() if column.name == "currency_code" else cell


def _of_contact(target: str) -> str:
    head, _dot, rest = target.partition(".")
    return rest if head == "contact" and rest != "id" else IGNORE


def _id(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None


def _currency(text: str) -> str:
    validate_currency(text.upper())
    return text.upper()


def _whole(cell: str) -> int:
    try:
        return int(cell)
    except ValueError:
        raise ValidationError(_("This must be a whole number."), code="invalid") from None


def _is_data(value: Any) -> bool:
    try:
        validate_data(value)
    except ValidationError:
        return False
    return True
