"""Reading the cells of contacts, a column at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone as clock
from django.utils.translation import gettext as _

from contacts import identity
from contacts.models import Address, Contact
from contacts.services.values import (
    ADDRESS_COLUMNS,
    COLUMNS,
    EARLIEST_BIRTH,
    MAX_TAGS,
    Errors,
    Given,
    assign,
    read,
    read_tag_names,
)
from customfields.definitions import Definitions
from customfields.models import CustomField
from imports import cells as written
from imports.files.source import Cell, Chunk, Unusable
from imports.files.spreadsheet import CLEAR, unguard, unquote_marker
from imports.headers import IGNORE
from imports.identifiers import EmailReader, PhoneReader, region_of
from imports.options import Options
from imports.readers import ColumnReader
from organisations.models import Organisation, validate_country, validate_timezone

_LONGEST = {
    (model, column.name): column.max_length or 0
    for model in (Contact, Address)
    for column in model._meta.concrete_fields
}
_TEXTS = ("first_name", "last_name", "name")

Places = dict[int, dict[str, str]]
"""Parts of addresses by the place of the address in the contact's list."""


@dataclass(slots=True)
class CarefulRow:
    """A row that the services' own functions read. `draft` is what it would be as a new contact;
    `error` why it cannot be taken at all."""

    values: dict[str, Any]
    places: Places
    custom: dict[str, Any]
    id: int | None = None
    given: Given = field(default_factory=Given)
    draft: Contact | None = None
    error: ValidationError | None = None


@dataclass(slots=True)
class People:
    """A chunk of rows, read. Lists have an entry for each row; None where nothing was given, and
    None instead of a list where the file has no such column."""

    chunk: Chunk
    email: list[tuple[str, str | None] | None] | None = None
    phone: list[tuple[str, str, str] | None] | None = None
    calling_code: list[str | None] | None = None
    texts: dict[str, list[str | None]] = field(default_factory=dict)
    dob: list[date | None] | None = None
    places: list[Places | None] | None = None
    tags: list[Mapping[str, str] | None] | None = None
    custom: list[tuple[CustomField, list[Any]]] = field(default_factory=list)
    ids: list[int | None] | None = None
    careful: dict[int, CarefulRow] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.chunk.rows)


class PeopleColumns(ColumnReader):
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
        self.definitions = definitions
        self._targets = targets
        self._options = options
        self._at = {target: i for i, target in enumerate(targets) if target != IGNORE}
        self._emails = EmailReader()
        self._phones: dict[str, PhoneReader | None] = {"": PhoneReader(organisation.country)}
        self._fields: dict[str, CustomField] = {}
        for target in self._at:
            head, _dot, name = target.partition(".")
            if head == "custom_fields":
                known = definitions.named(name)
                if known is None:
                    raise Unusable(f'The custom field "{name}" is not there any more.')
                self._fields[target] = known

    def with_definitions(self, definitions: Definitions) -> PeopleColumns:
        """A reader of the same columns by these definitions."""
        return PeopleColumns(
            self.organisation, self._targets, definitions, self._options, guarded=self._guarded
        )

    def has(self, target: str) -> bool:
        """Whether the file has a column of this."""
        return target in self._at

    @property
    def custom_fields(self) -> list[CustomField]:
        """The custom fields that the file has columns of."""
        return list(self._fields.values())

    def read(self, chunk: Chunk) -> People:
        """Read a chunk. No query."""
        people = People(chunk)
        if not chunk.rows:
            return people
        by_column = list(zip(*chunk.rows, strict=True))
        doubtful: set[int] = set()
        texts = {
            target: self._tidy(by_column[index], doubtful) for target, index in self._at.items()
        }
        self._read_identifiers(people, texts, doubtful)
        for name in _TEXTS:
            if name in texts:
                limit = _LONGEST[Contact, name]
                people.texts[name] = self._short(texts[name], limit, doubtful)
        if "kind" in texts:
            people.texts["kind"] = self._each("kind", texts["kind"], _kind, doubtful)
        if "timezone" in texts:
            people.texts["timezone"] = self._each("tz", texts["timezone"], _zone, doubtful)
        if "dob" in texts:
            people.dob = self._each("dob", texts["dob"], self._birth(), doubtful)
        if "tags" in texts:
            people.tags = self._each("tags", texts["tags"], _tags, doubtful)
        if "addresses" in texts:
            doubtful.update(i for i, cell in enumerate(texts["addresses"]) if cell)
        self._read_places(people, texts, doubtful)
        for target, custom_field in self._fields.items():
            parse = partial(self._custom, custom_field)
            values = self._each(target, texts[target], parse, doubtful)
            people.custom.append((custom_field, values))
        for index in doubtful:
            people.careful[index] = self.read_with_care(chunk.rows[index])
        return people

    def _tidy(self, column: Sequence[Cell], doubtful: set[int]) -> list[str]:
        texts = super()._tidy(column, doubtful)
        if self._options.clear_empty and "" in texts:
            doubtful.update(i for i, text in enumerate(texts) if not text)
        return texts

    def _read_identifiers(
        self, people: People, texts: Mapping[str, list[str]], doubtful: set[int]
    ) -> None:
        if "email_address" in texts:
            read_email = self._emails.read
            column = texts["email_address"]
            people.email = [read_email(text) if text else None for text in column]
            doubtful.update(
                i for i, found in enumerate(people.email) if found is None and column[i]
            )
        codes = texts.get("phone_number_country_code")
        numbers = texts.get("phone_number")
        if codes is not None:
            people.calling_code = [code.removeprefix("+") or None for code in codes]
        if numbers is not None:
            if codes is None or not any(codes):
                read_phone = self._phones[""].read  # type: ignore[union-attr]  # it always is one
                people.phone = [read_phone(text) if text else None for text in numbers]
            else:
                people.phone = [
                    self._read_phone(text, code) if text else None
                    for text, code in zip(numbers, people.calling_code or codes, strict=True)
                ]
            doubtful.update(
                i for i, found in enumerate(people.phone) if found is None and numbers[i]
            )
        if codes is not None:
            # A calling code alone reads the number that is there anew.
            doubtful.update(
                i for i, code in enumerate(codes) if code and not (numbers and numbers[i])
            )
        if "id" in texts:
            column = texts["id"]
            people.ids = [
                int(text) if text.isdecimal() and len(text) < 19 else None for text in column
            ]
            doubtful.update(i for i, pk in enumerate(people.ids) if pk is None and column[i])

    def _read_phone(self, text: str, code: str | None) -> tuple[str, str, str] | None:
        reader = self._phones.get(code or "", ...)
        if reader is ...:
            region = region_of(code or "", self.organisation.country)
            reader = self._phones[code or ""] = PhoneReader(region) if region else None
        return reader.read(text) if reader is not None else None

    def _short(self, texts: list[str], limit: int, doubtful: set[int]) -> list[str | None]:
        if max(map(len, texts)) > limit:
            doubtful.update(i for i, text in enumerate(texts) if len(text) > limit)
        return [text or None for text in texts]

    def _birth(self) -> Callable[[str], date | None]:
        # Where it is tomorrow already a birth of today is fine; the service knows the zone.
        latest = clock.now().date() - timedelta(days=2)

        def birth(text: str) -> date | None:
            day = written.day(text, self._options.date_format)
            return day if EARLIEST_BIRTH <= day <= latest else None

        return birth

    def _custom(self, custom_field: CustomField, text: str) -> Any:
        return custom_field.kind.parse(self._custom_cell(custom_field, text), custom_field)

    def _custom_cell(self, custom_field: CustomField, cell: Cell) -> Any:
        """A cell as the field's type takes it, however a file writes it."""
        if not isinstance(cell, str):
            return cell
        if custom_field.type == "Date":
            return written.day(cell, self._options.date_format).isoformat()
        if custom_field.type == "Multi select":
            return written.as_json(cell)
        if custom_field.type == "Phone":
            return written.phone(cell)
        return cell

    def _read_places(
        self, people: People, texts: Mapping[str, list[str]], doubtful: set[int]
    ) -> None:
        columns: list[tuple[int, str, list[str | None]]] = []
        for target in texts:
            head, _dot, rest = target.partition(".")
            if head == "addresses" and rest:
                place, _dot, part = rest.partition(".")
                if part == "country":
                    values = self._each("country", texts[target], _country, doubtful)
                else:
                    values = self._short(texts[target], _LONGEST[Address, part], doubtful)
                columns.append((int(place), part, values))
        if not columns:
            return
        people.places = []
        for index in range(len(people)):
            row: Places = {}
            for position, part, values in columns:
                value = values[index]
                if value is not None:
                    row.setdefault(position, {})[part] = value
            people.places.append(row or None)

    def read_with_care(self, row: Sequence[Cell]) -> CarefulRow:
        """The row by the services' own functions, errors and all."""
        errors = Errors()
        careful = CarefulRow({}, {}, {})
        for target, index in self._at.items():
            cell = row[index]
            if isinstance(cell, str):
                cell = (unguard(cell) if self._guarded else cell).strip()
                if cell == CLEAR or (not cell and self._options.clear_empty):
                    cell = None
                elif not cell:
                    continue
                else:
                    cell = unquote_marker(cell)
            elif cell in ([], {}):
                continue
            try:
                self._put(careful, target, cell)
            except ValidationError as error:
                errors.add(error, target)
        draft = Contact(organisation=self.organisation)
        try:
            careful.given = read(careful.values)
            assign(draft, careful.given)
        except ValidationError as error:
            errors.add(error)
        try:
            read({"addresses": _listed(careful.places)})
        except ValidationError as error:
            errors.add(error)
        try:
            self.definitions.parse(careful.custom)
        except ValidationError as error:
            errors.add(error)
        careful.draft = draft
        try:
            errors.raise_any()
        except ValidationError as error:
            careful.error = error
        return careful

    def _put(self, careful: CarefulRow, target: str, cell: Any) -> None:
        head, _dot, rest = target.partition(".")
        if head == "custom_fields":
            careful.custom[rest] = (
                None if cell is None else self._custom_cell(self._fields[target], cell)
            )
        elif head == "addresses" and rest:
            place, _dot, part = rest.partition(".")
            text = "" if cell is None else str(cell)
            if part == "country" and text:
                text = written.country(text)
            careful.places.setdefault(int(place), {})[part] = text
        elif target == "id":
            careful.id = None if cell is None else _id(cell)
        else:
            careful.values[target] = None if cell is None else self._value(target, cell)

    def _value(self, target: str, cell: Any) -> Any:
        if target == "tags":
            return written.tags(cell)
        if target == "addresses":
            return _address_list(written.as_json(cell))
        if not isinstance(cell, str):
            raise ValidationError(_("This must be a text."), code="invalid")
        if target == "phone_number":
            return written.phone(cell)
        if target == "dob":
            return written.day(cell, self._options.date_format)
        if target == "kind":
            return cell.lower()
        assert target in COLUMNS
        return cell


def _listed(places: Places) -> list[dict[str, str]]:
    return [places[place] for place in sorted(places)]


def put_places(addresses: Sequence[Mapping[str, str]], places: Places) -> list[dict[str, str]]:
    """The contact's addresses with the given parts written over those in these places; a place
    past the end is a new address. One without any part left is gone."""
    merged = [dict(address) for address in addresses]
    for place in sorted(places):
        if place < len(merged):
            merged[place].update(places[place])
        else:
            merged.append(dict.fromkeys(ADDRESS_COLUMNS, "") | places[place])
    return [address for address in merged if any(address.values())]


def _address_list(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ValidationError(_("This must be a list of addresses."), code="invalid")
    unknown = {key for one in given for key in one} - set(ADDRESS_COLUMNS)
    if unknown:
        raise ValidationError(
            _("An address has no %(keys)s."),
            code="unknown",
            params={"keys": ", ".join(sorted(unknown))},
        )
    if any(not isinstance(value, str | None) for one in given for value in one.values()):
        raise ValidationError(_("The parts of an address are texts."), code="invalid")
    return given


def _id(cell: Any) -> int:
    if not isinstance(cell, str) or not cell.isdecimal() or len(cell) > 18:
        raise ValidationError(_("This is not the id of a contact."), code="invalid")
    return int(cell)


def _kind(text: str) -> str | None:
    kind = text.lower()
    return kind if kind in Contact.Kind.values else None


def _zone(text: str) -> str:
    validate_timezone(text)
    return text


def _country(text: str) -> str:
    code = written.country(text)
    validate_country(code)
    return code


def _tags(text: str) -> Mapping[str, str] | None:
    names = written.tags(text)
    if len(names) > MAX_TAGS:
        return None
    return {identity.fold(name): name for name in read_tag_names(names)}
