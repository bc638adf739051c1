"""People and activities that are told in a run: rows for a file, and the same for a floor."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from django.db.models import Count, Sum

from activities.models import Activity
from benchmarks import data
from contacts import rollups
from contacts.identity import full_name, search_text
from contacts.models import Contact, ContactRollup, SpendInCurrency
from contacts.rollups import ledger
from organisations.models import Organisation


@dataclass(frozen=True)
class Population:
    """The organisation that `data.load` made, whose contacts have consecutive ids."""

    organisation: Organisation
    first: int
    people: int

    @classmethod
    def found(cls) -> Population:
        """The one in this database."""
        organisation = Organisation.objects.get(name="Bench")
        ids = Contact.objects.for_organisation(organisation).order_by("pk")
        first = ids.values_list("pk", flat=True).first()
        assert first is not None
        return cls(organisation, first, ids.count())


def newcomers(count: int, offset: int) -> list[tuple[Any, ...]]:
    """Rows of `floors.PEOPLE` that nobody has yet: each offset has its own."""
    rows = []
    for pk, email, _phone, first, last, _dob, _created in data.contacts(count, seed=offset):
        number = offset + pk
        rows.append(_person(f"n{offset}.{email}", f"+447{200_000_000 + number:09d}", first, last))
    return rows


def renamed(population: Population, count: int, offset: int, mark: str) -> list[tuple[Any, ...]]:
    """Rows of `floors.PEOPLE` of contacts that are there, with another last name."""
    ids = range(population.first, population.first + population.people)
    start = offset % max(1, population.people - count)
    there = Contact.objects.for_organisation(population.organisation).filter(
        pk__in=ids[start : start + count]
    )
    columns = "email_address", "phone_number_e164", "first_name", "last_name"
    return [
        _person(email, phone, first, f"{last.partition(' ')[0]} {mark}")
        for email, phone, first, last in there.values_list(*columns)
    ]


def _person(email: str, phone: str, first: str, last: str) -> tuple[Any, ...]:
    name = full_name(first, last)
    given = SimpleNamespace(
        name=name,
        first_name=first,
        last_name=last,
        email_address=email,
        phone_number=phone,
        phone_number_e164=phone,
    )
    found_by = search_text(cast(Contact, given))
    return email, email.lower(), phone, "44", phone, first, last, name, found_by


def happenings(population: Population, count: int, mark: str) -> list[tuple[Any, ...]]:
    """Rows of `floors.TOLD`, each with a reference."""
    return [
        (*row[:6], f"{mark}-{number}")
        for number, row in enumerate(
            data.activities(count, population.people, first_id=population.first, seed=int(mark, 16))
        )
    ]


def write(path: Path, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """A CSV file of these."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(headers)
        writer.writerows(rows)
    return path


def verify(
    organisation: Organisation, *, people: int, told: int, sample: Sequence[int] = ()
) -> None:
    """Raise AssertionError unless so many contacts and activities are there, the totals of all
    together are what the activities say, and so are those of `sample`, else of some whose
    activities are the latest."""
    contacts = Contact.objects.for_organisation(organisation)
    totals = ContactRollup.objects.for_organisation(organisation)
    activities = Activity.objects.for_organisation(organisation)
    assert contacts.count() == people, f"{people} contacts meant, {contacts.count()} there"
    assert totals.count() == people
    assert activities.count() == told, f"{told} activities meant, {activities.count()} there"
    orders = ledger().order_types(organisation.pk)
    home = activities.filter(currency_code=organisation.currency_code)
    stored = totals.aggregate(spend=Sum("total_spend"), orders=Sum("total_orders"))
    meant = {
        **home.aggregate(spend=Sum("spend")),
        **activities.filter(type__in=orders).aggregate(orders=Count("pk")),
    }
    assert stored == meant, f"{meant} meant, {stored} stored"
    foreign = SpendInCurrency.objects.for_organisation(organisation).aggregate(all=Sum("amount"))
    away = activities.exclude(currency_code=organisation.currency_code)
    assert foreign == away.aggregate(all=Sum("spend"))
    # The busiest have a million activities each: adding those up takes longer than the run.
    latest = activities.order_by("-pk").values_list("contact", flat=True)[:2000]
    assert rollups.recompute(sample or sorted(set(latest))[10:510]) == 0, "wrong totals"
