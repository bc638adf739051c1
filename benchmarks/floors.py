"""The floors of what is written: the same rows into the very same tables and indexes, made ready
beforehand, by the fastest door of the database. No parsing, no checks, no history, no undo."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Model

from activities.models import Activity
from benchmarks.data import defaults
from contacts.models import Contact, ContactRollup, SpendInCurrency
from contacts.rollups import ledger
from customfields.models import CustomField, CustomFieldValue
from organisations.models import Organisation

PEOPLE = (
    "email_address",
    "email_key",
    "phone_number",
    "phone_number_country_code",
    "phone_number_e164",
    "first_name",
    "last_name",
    "name",
    "search_text",
)
TOLD = (
    "contact_id",
    "type",
    "source",
    "happened_at",
    "spend",
    "currency_code",
    "external_reference",
)
ROLLUP = ContactRollup._meta.db_table
BY_EMAIL = "by_email"


def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def people(
    organisation: Organisation,
    rows: Sequence[Sequence[Any]],
    values: Sequence[tuple[CustomField, str, Sequence[Any]]] = (),
) -> Callable[[], None]:
    """Insert or update contacts, rows of `PEOPLE`, by their e-mail, with a row of totals for each
    that is new. `values` are custom fields of new ones: the field, the column, and the value of
    each row."""
    columns = [*PEOPLE, *(f"value_{place}" for place in range(len(values)))]
    extended = [
        (*row, *rest) for row, *rest in zip(rows, *(column for *_, column in values), strict=True)
    ]
    ready = _ready(extended)
    constant = defaults(Contact, {*PEOPLE, "id"}, organisation=organisation)
    renewed = [name for name in PEOPLE if name != "email_key"]
    upsert = (
        f"INSERT INTO contacts_contact ({_names([*PEOPLE, *constant])})"
        f" SELECT {_names(PEOPLE)}, {_marks(constant)} FROM told WHERE true"
        " ON CONFLICT (organisation_id, email_key) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in [*renewed, "updated_at"])
    )
    totals = defaults(ContactRollup, {"contact_id"}, organisation=organisation)
    into = f"INSERT INTO {ROLLUP} (contact_id, {_names(totals)}) SELECT id, {_marks(totals)}"

    def work() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            last = _last(Contact)
            _stage(cursor, Contact, columns, ready)
            cursor.execute(upsert, list(constant.values()))
            cursor.execute(f"{into} FROM contacts_contact WHERE id > %s", [*totals.values(), last])
            for place, (field, column, _values) in enumerate(values):
                same = defaults(
                    CustomFieldValue,
                    {"id", "contact_id", column},
                    organisation=organisation,
                    field=field,
                )
                cast = f"::{_kind(CustomFieldValue, column)}" if on_postgresql() else ""
                cursor.execute(
                    f"INSERT INTO customfields_customfieldvalue (contact_id, {column},"
                    f" {_names(same)}) SELECT c.id, told.value_{place}{cast}, {_marks(same)}"
                    " FROM told JOIN contacts_contact c ON c.email_key = told.email_key"
                    " AND c.organisation_id = %s",
                    [*same.values(), organisation.pk],
                )
            cursor.execute("DROP TABLE told")

    return work


def told(
    organisation: Organisation, rows: Sequence[Sequence[Any]], *, by_email: bool = False
) -> Callable[[], None]:
    """Insert activities, rows of `TOLD`, and move the totals of their contacts, grouped. With
    `by_email` the contact of a row is its e-mail's."""
    ready = _ready(rows)
    constant = defaults(Activity, {*TOLD, "id"}, organisation=organisation)
    who = "c.id" if by_email else "told.contact_id"
    join = (
        " JOIN contacts_contact c ON c.organisation_id = %s AND c.email_key = told.by_email"
        if by_email
        else " WHERE true"
    )
    insert = (
        f"INSERT INTO activities_activity ({_names([*TOLD, *constant])})"
        f" SELECT {who}, {', '.join('told.' + name for name in TOLD[1:])}, {_marks(constant)}"
        f" FROM told{join} ON CONFLICT DO NOTHING"
    )
    given = [*constant.values(), *([organisation.pk] if by_email else [])]
    columns = [BY_EMAIL if by_email else TOLD[0], *TOLD[1:]]

    def work() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            last = _last(Activity)
            _stage(cursor, Activity, columns, ready)
            cursor.execute(insert, given)
            move_totals(cursor, organisation, last)
            cursor.execute("DROP TABLE told")

    return work


def straight(organisation: Organisation, rows: Sequence[Sequence[Any]]) -> Callable[[], None]:
    """As `told`, by executemany into the table itself, which is what SQLite does best."""
    constant = defaults(Activity, {*TOLD, "id"}, organisation=organisation)
    tail = tuple(constant.values())
    names = [*TOLD, *constant]
    marks = ", ".join("?" * len(names))

    def work() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            last = _last(Activity)
            cursor.connection.cursor().executemany(
                f"INSERT INTO activities_activity ({_names(names)}) VALUES ({marks})"
                " ON CONFLICT DO NOTHING",
                ((*row, *tail) for row in rows),
            )
            move_totals(cursor, organisation, last)

    return work


def batch(organisation: Organisation, rows: Sequence[Sequence[Any]]) -> Callable[[], None]:
    """A thousand activities and their totals, in one transaction."""
    return told(organisation, rows) if on_postgresql() else straight(organisation, rows)


def move_totals(cursor: Any, organisation: Organisation, last: int) -> None:
    """Add what was inserted after the activity `last` to its contacts' totals."""
    orders = sorted(ledger().order_types(organisation.pk))
    marks = _marks(orders)
    later = "GREATEST" if on_postgresql() else "MAX"
    cursor.execute(
        f"UPDATE {ROLLUP} AS r SET total_spend = r.total_spend + d.spend,"
        " total_orders = r.total_orders + d.orders, changed_at = d.told,"
        f" last_interacted_at = {later}(COALESCE(r.last_interacted_at, d.latest), d.latest),"
        f" last_order_at = {later}(COALESCE(r.last_order_at, d.ordered),"
        " COALESCE(d.ordered, r.last_order_at))"
        " FROM (SELECT contact_id, MAX(happened_at) AS latest, MAX(created_at) AS told,"
        " SUM(CASE WHEN currency_code = %s THEN spend ELSE 0 END) AS spend,"
        f" SUM(CASE WHEN type IN ({marks}) THEN 1 ELSE 0 END) AS orders,"
        f" MAX(CASE WHEN type IN ({marks}) THEN happened_at END) AS ordered"
        " FROM activities_activity WHERE id > %s GROUP BY contact_id) AS d"
        " WHERE r.contact_id = d.contact_id",
        [organisation.currency_code, *orders, *orders, last],
    )
    cursor.execute(
        f"INSERT INTO {SpendInCurrency._meta.db_table} AS kept"
        " (organisation_id, contact_id, currency_code, amount)"
        " SELECT organisation_id, contact_id, currency_code, SUM(spend) FROM activities_activity"
        " WHERE id > %s AND currency_code <> %s"
        " GROUP BY organisation_id, contact_id, currency_code"
        " ON CONFLICT (contact_id, currency_code)"
        " DO UPDATE SET amount = kept.amount + excluded.amount",
        [last, organisation.currency_code],
    )


def _ready(rows: Iterable[Sequence[Any]]) -> Any:
    """What `_stage` takes: the text of COPY on PostgreSQL, the rows themselves on SQLite."""
    if not on_postgresql():
        return list(rows)
    lines = (
        "\t".join("\\N" if value is None else str(value) for value in row) + "\n" for row in rows
    )
    return "".join(lines)


def _stage(cursor: Any, model: type[Model], columns: Sequence[str], ready: Any) -> None:
    """The rows into the temporary table `told`."""
    kinds = ", ".join(f"{name} {_kind(model, name)}" for name in columns)
    cursor.execute(f"CREATE TEMPORARY TABLE told ({kinds})")
    if on_postgresql():
        with cursor.copy(f"COPY told ({_names(columns)}) FROM STDIN") as pipe:
            pipe.write(ready)
    else:
        marks = ", ".join("?" * len(columns))
        cursor.connection.cursor().executemany(f"INSERT INTO told VALUES ({marks})", ready)


def _kind(model: type[Model], column: str) -> str:
    """The type of a column as the database calls it; text for one that the table has not."""
    for field in model._meta.concrete_fields:
        if field.column == column:
            return str(field.db_type(connection)).split(" GENERATED")[0]
    return "text"


def _last(model: type[Model]) -> int:
    found = model._default_manager.across_organisations().aggregate(last=Max("pk"))  # type: ignore[attr-defined]
    return int(found["last"] or 0)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _marks(values: Collection[object]) -> str:
    return ", ".join(["%s"] * len(values))


def tag() -> str:
    """What nobody has said before."""
    return uuid.uuid4().hex[:8]
