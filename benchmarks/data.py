"""Who and what the benchmarks work on: a seeded population, skewed as in life.

One contact has a fifth of all activities (a million of five: the till's "walk-in guest"), nine
have a fiftieth each, and the others share the rest by a lognormal law. The same seed gives the
same rows on PostgreSQL and SQLite. They go in by COPY or executemany, rollups are added up in SQL,
and `load` refuses to return when what is stored is not what was meant.

`python -m benchmarks.data --contacts 1000000 --activities 5000000` fills the database that
DATABASE_URL names, which must be migrated and may hold other organisations.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from django.db.models import Model

    from organisations.models import Organisation

SEED = 20260407
LAST_DAY = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 730
# fmt: off
FIRST_NAMES = (
    "Olivia", "Amelia", "Isla", "Ava", "Mia", "Freya", "Lily", "Zoë", "Chloé", "Noémie",
    "Søren", "José", "Jürgen", "Łukasz", "Siân", "Niamh", "Oliver", "George", "Arthur", "Noah",
    "Muhammad", "Leo", "Oscar", "Harry", "Jack", "Henry", "Thomas", "James", "William", "Priya",
    "Wei",
)
LAST_NAMES = (
    "Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Patel",
    "Robinson", "Wright", "Thompson", "Evans", "Walker", "White", "Roberts", "Green", "Hall",
    "Wood", "Jackson", "Clarke", "O'Neill", "Müller", "García", "Lefèvre", "Nowak", "Øberg",
)
# fmt: on
DOMAINS = ("gmail.com", "outlook.com", "icloud.com", "yahoo.co.uk", "hotmail.fr", "example.com")
CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"
# Types and sources with their weights in a hundred.
TYPES = {
    "Purchase": 46,
    "Connected to wifi": 22,
    "Booking": 8,
    "Checked in": 7,
    "Checked out": 7,
    "Shopify order": 5,
    "Table reservation": 4,
    "Refund": 1,
}
SOURCES = {"till": 60, "wifi": 20, "mews": 12, "shopify": 8}
TAGS = {"Newsletter": 0.3, "VIP": 0.02, "Local": 0.1, "Corporate": 0.005, "Pressed": 0.0001}
PAID = frozenset({"Purchase", "Shopify order", "Refund"})
BATCH = 10_000


def contacts(count: int, *, first_id: int = 1, seed: int = SEED) -> Iterator[tuple[Any, ...]]:
    """(id, email, phone as E.164, first name, last name, date of birth or None, created)."""
    rng = random.Random(seed)
    began = LAST_DAY - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / max(count, 1)
    for number in range(count):
        first = rng.choice(FIRST_NAMES)
        # A few names are frequent and most are rare.
        last = rng.choice(LAST_NAMES) if rng.random() < 0.4 else _rare_name(rng)
        email = f"{_ascii(first)}.{_ascii(last)}{number}@{rng.choice(DOMAINS)}"
        phone = f"+447{number + 100_000_000:09d}"
        dob = (
            None
            if rng.random() < 0.4
            else f"{rng.randint(1940, 2007)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        )
        yield first_id + number, email, phone, first, last, dob, _written(began + number * step)


def activities(
    count: int, people: int, *, first_id: int = 1, seed: int = SEED
) -> Iterator[tuple[Any, ...]]:
    """(contact id, type, source, happened, spend, currency, external reference or None)."""
    rng = random.Random(seed + 1)
    days = [(LAST_DAY - timedelta(days=n)).date().isoformat() for n in range(1, DAYS + 1)]
    types = rng.choices(list(TYPES), list(TYPES.values()), k=4096)
    sources = rng.choices(list(SOURCES), list(SOURCES.values()), k=4093)
    walk_in, busy = first_id, range(first_id + 1, first_id + min(10, people))
    chance, below, spread = rng.random, people, rng.lognormvariate
    for number in range(count):
        who = chance()
        if who < 0.2:
            contact = walk_in
        elif who < 0.38 and busy:
            contact = busy[int((who - 0.2) / 0.18 * len(busy))]
        else:
            contact = first_id + int(spread(0, 1.6) / 60 * below) % below
        type_ = types[number & 4095]
        spend = int(spread(7.5, 1)) if type_ in PAID else 0
        day, second = days[int(chance() * DAYS)], int(chance() * 86_400)
        yield (
            contact,
            type_,
            sources[number % 4093],
            f"{day} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}",
            -spend if type_ == "Refund" else spend,
            "EUR" if number % 33 == 0 else "GBP",
            f"bench-{first_id}-{number}" if number % 5 else None,
        )


def load(people: int, told: int, *, name: str = "Bench") -> Organisation:
    """A new organisation with so many contacts, and so many activities of theirs."""
    from django.db.models import Max

    from contacts import rfm
    from contacts.identity import full_name, search_text
    from contacts.models import Contact
    from organisations.services import create_organisation

    organisation = create_organisation(name=name)
    last = Contact.objects.across_organisations().aggregate(last=Max("pk"))["last"] or 0
    first = last + 1

    def rows() -> Iterator[tuple[Any, ...]]:
        for pk, email, phone, first_name, last_name, dob, created in contacts(
            people, first_id=first
        ):
            whole = full_name(first_name, last_name)
            given = SimpleNamespace(
                name=whole,
                first_name=first_name,
                last_name=last_name,
                email_address=email,
                phone_number=phone,
                phone_number_e164=phone,
            )
            found_by = search_text(cast(Contact, given))
            yield (
                pk, email, email.lower(), phone, "44", phone, first_name, last_name, whole, dob,
                found_by, created, created,
            )  # fmt: skip

    columns = (
        "id email_address email_key phone_number phone_number_country_code phone_number_e164 "
        "first_name last_name name dob search_text created_at updated_at"
    )
    copy(Contact, columns.split(), rows(), organisation=organisation)
    _details(organisation, first, people)
    _activities(organisation, first, people, told)
    _rollups(organisation)
    rfm.recompute(organisation)
    _settle()
    _verify(organisation, people, told)
    return organisation


def copy(
    model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]], **same: Any
) -> None:
    """Rows into the table of `model` by the fastest door of the database.

    Columns that are not given are what the model's fields have by default; `same` are the values
    that all rows share, by field.
    """
    from django.db import connection

    rest = defaults(model, {*columns, "id"}, **same)
    quote = connection.ops.quote_name
    names = ", ".join(map(quote, [*columns, *rest]))
    table = quote(model._meta.db_table)
    tail = tuple(rest.values())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as pipe:
                for row in rows:
                    pipe.write_row((*row, *tail))
        else:
            marks = ", ".join("?" * (len(columns) + len(tail)))
            # Django's own cursor would turn each row's parameters over once more.
            cursor.connection.cursor().executemany(
                f"INSERT INTO {table} ({names}) VALUES ({marks})",
                ((*row, *tail) for row in rows),
            )
            cursor.connection.commit()


def defaults(model: type[Model], given: Collection[str], **same: Any) -> dict[str, Any]:
    """The value of each column that is not given, as the database takes it: `same` by field, else
    what the model's field has by default."""
    from django.db import connection

    constant = {}
    for field in model._meta.concrete_fields:
        if field.attname in given:
            continue
        value = same.get(field.name, field.get_default())
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            constant[str(field.column)] = _written(LAST_DAY)
        else:
            value = getattr(value, "pk", value)
            constant[str(field.column)] = field.get_db_prep_save(value, connection)
    return constant


def _details(organisation: Organisation, first: int, people: int) -> None:
    """Tags, and three custom fields of which a contact has some."""
    from contacts.models import ContactTag, Tag
    from customfields import services
    from customfields.models import CustomFieldValue

    rng = random.Random(SEED + 2)
    tags = [Tag.objects.create(organisation=organisation, name=name) for name in TAGS]
    copy(
        ContactTag,
        ["contact_id", "tag_id"],
        (
            (pk, tag.pk)
            for pk in range(first, first + people)
            for tag, share in zip(tags, TAGS.values(), strict=True)
            if rng.random() < share
        ),
        organisation=organisation,
    )
    diet = services.define(
        organisation=organisation,
        label="Diet",
        type="Select",
        options=["None", "Vegetarian", "Vegan", "Coeliac"],
    )
    points = services.define(organisation=organisation, label="Points", type="Number")
    since = services.define(organisation=organisation, label="Member since", type="Date")
    options = [option.pk for option in diet.options.all()]
    for field, column, share, value in (
        (diet, "value_option_id", 0.3, lambda: rng.choice(options)),
        (points, "value_number", 0.5, lambda: str(int(rng.lognormvariate(5, 1)))),
        (since, "value_date", 0.2, lambda: f"{rng.randint(2005, 2025)}-0{rng.randint(1, 9)}-01"),
    ):
        copy(
            CustomFieldValue,
            ["contact_id", column],
            ((pk, value()) for pk in range(first, first + people) if rng.random() < share),
            organisation=organisation,
            field=field,
        )


def _activities(organisation: Organisation, first: int, people: int, told: int) -> None:
    from activities.models import Activity

    columns = "contact_id type source happened_at spend currency_code external_reference"
    copy(
        Activity,
        columns.split(),
        activities(told, people, first_id=first),
        organisation=organisation,
    )


def _rollups(organisation: Organisation) -> None:
    """Added up by the database in one go; `contacts.rollups.drift` is asked in `_verify`."""
    from django.db import connection

    from contacts.models import ContactRollup, SpendInCurrency
    from contacts.rollups import ledger

    orders = sorted(ledger().order_types(organisation.pk))
    marks = ", ".join(["%s"] * len(orders))
    rollup, foreign = ContactRollup._meta.db_table, SpendInCurrency._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {rollup} (organisation_id, contact_id, total_spend, total_orders,"
            " last_interacted_at, last_order_at, changed_at)"
            " SELECT c.organisation_id, c.id,"
            " COALESCE(SUM(CASE WHEN a.currency_code = %s THEN a.spend ELSE 0 END), 0),"
            f" SUM(CASE WHEN a.type IN ({marks}) THEN 1 ELSE 0 END), MAX(a.happened_at),"
            f" MAX(CASE WHEN a.type IN ({marks}) THEN a.happened_at END),"
            " COALESCE(MAX(a.happened_at), c.created_at)"
            " FROM contacts_contact c LEFT JOIN activities_activity a ON a.contact_id = c.id"
            " WHERE c.organisation_id = %s GROUP BY c.id, c.organisation_id, c.created_at",
            [organisation.currency_code, *orders, *orders, organisation.pk],
        )
        cursor.execute(
            f"INSERT INTO {foreign} (organisation_id, contact_id, currency_code, amount)"
            " SELECT organisation_id, contact_id, currency_code, SUM(spend)"
            " FROM activities_activity WHERE organisation_id = %s AND currency_code <> %s"
            " GROUP BY organisation_id, contact_id, currency_code",
            [organisation.pk, organisation.currency_code],
        )


def _settle() -> None:
    """Leave the tables as a database in use has them: sequences moved on, vacuumed, counted."""
    from django.core.management.color import no_style
    from django.db import connection

    from contacts.models import Contact

    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Contact]):
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def _verify(organisation: Organisation, people: int, told: int) -> None:
    """What is stored is what was meant, and a sample of the totals is what its activities say."""
    from activities.models import Activity
    from contacts import rollups
    from contacts.models import Contact, ContactRollup

    mine = Contact.objects.for_organisation(organisation)
    assert mine.count() == ContactRollup.objects.for_organisation(organisation).count() == people
    assert Activity.objects.for_organisation(organisation).count() == told
    sample = list(mine.order_by("pk").values_list("pk", flat=True)[10:1010])
    assert rollups.recompute(sample) == 0


def _written(moment: datetime) -> str:
    """As both databases take it; they are told that it is UTC."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _rare_name(rng: random.Random) -> str:
    made = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 4)))
    return made.capitalize()


def _ascii(name: str) -> str:
    from contacts.identity import fold

    return "".join(letter for letter in fold(name) if "a" <= letter <= "z")


def main() -> None:
    import django

    parser = argparse.ArgumentParser(prog="python -m benchmarks.data")
    parser.add_argument("--contacts", type=int, default=50_000)
    parser.add_argument("--activities", type=int, default=250_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    django.setup()
    organisation = load(options.contacts, options.activities)
    print(f"organisation {organisation.pk}")


if __name__ == "__main__":
    main()
