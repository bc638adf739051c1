"""How long lists and pages take among a million contacts, and among ten thousand.

Each page is asked for by Django's own client, in the process: what is timed is everything that the
server does, from the first middleware to the last byte, without the network. The addresses of a
page differ (other names, amounts, days), and its answer is compared with what plain SQL says before
anything is timed: the rows that are listed, in their order.

    python -m benchmarks.pages --small postgres://…/small --large postgres://…/large

measures two databases that `benchmarks.data` filled. It writes an API key, a member of staff, a
custom field and the dashboard's snapshots into them. Without an address it works on a copy of
`make bench`'s population of that size.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from benchmarks.databases import ROOT, Database, PostgreSQL, SQLite, copy_of, population
from benchmarks.measuring import SIZES

if TYPE_CHECKING:
    from django.test import Client

    from organisations.models import Organisation

PEOPLE = {"small": (10_000, 50_000), "large": (1_000_000, 5_000_000)}
"""Contacts and activities."""
SAMPLES, SECONDS = 100, 8.0
"""So often a page is asked for, unless that takes longer."""
FIELD = "interests"
CHOICES = ("Golf", "Spa", "Wine", "Music", "Running")


@dataclass(frozen=True)
class Goal:
    """What a kind of page has to reach: the ratio of the medians, and milliseconds."""

    ratio: float | None = None
    median: float | None = None
    p99: float | None = None

    def __str__(self) -> str:
        ends = {"": self.ratio, "median < {} ms": self.median, "p99 < {} ms": self.p99}
        said = [f"≤ {self.ratio}"] if self.ratio else []
        return ", ".join(
            said + [text.format(f"{end:g}") for text, end in ends.items() if text and end]
        )


GOALS = {
    "list": Goal(ratio=2.0, p99=50),
    "changelist": Goal(ratio=1.5),
    "dashboard": Goal(median=200),
    "search": Goal(median=100),
    "page": Goal(),
}


@dataclass(frozen=True)
class Page:
    """A page under some addresses, each with the SQL of the ids that its answer lists; None where
    nothing is listed."""

    name: str
    goal: str
    addresses: Sequence[tuple[str, str | None]]


@dataclass
class Measured:
    """What a page took: milliseconds, and at its first address queries and bytes."""

    goal: str
    work: float = 0
    median: float = 0
    p99: float = 0
    slowest: float = 0
    samples: int = 0
    queries: int = 0
    page_bytes: int = 0
    static_bytes: int = 0
    medians: dict[str, float] = field(default_factory=dict)
    """By address."""
    works: dict[str, float] = field(default_factory=dict)
    """By address, processor time: the server's and that of its database connection."""


# What is asked for


class Population:
    """Whom and what the addresses ask for: taken from the database, the same way at every size."""

    def __init__(self, organisation: Organisation) -> None:
        from activities.models import Activity
        from contacts.models import Contact

        self.organisation = organisation
        contacts = Contact.objects.for_organisation(organisation)
        self.first: int = contacts.order_by("pk").values_list("pk", flat=True)[0]
        last: int = contacts.order_by("-pk").values_list("pk", flat=True)[0]
        self.count = last - self.first + 1
        spread = [self.first + self.count * tenth // 11 for tenth in range(1, 11)]
        self.people: list[Contact] = list(contacts.filter(pk__in=spread).order_by("pk"))
        names = [one.last_name for one in self.people]
        self.rare = [name for name in names if len(name) >= 6 and name.isascii()]
        activities = Activity.objects.for_organisation(organisation)
        told = activities.filter(contact__in=spread, external_reference__isnull=False)
        self.references = list(told.values_list("external_reference", flat=True)[:5])
        self.busy = self.first


def contact_lists(who: Population) -> Iterator[Page]:  # noqa: PLR0915  # a list of pages
    """`GET /contacts`: filters, searches and orders."""
    newest = "c.created_at DESC, c.id DESC"
    org = who.organisation.pk

    def listed(where: str, order: str = newest, size: int = 30) -> str:
        return (
            "SELECT c.id FROM contacts_contact c JOIN contacts_contactrollup r"
            f" ON r.contact_id = c.id WHERE c.organisation_id = {org}"
            f" AND c.merged_into_id IS NULL AND ({where}) ORDER BY {order} LIMIT {size}"
        )

    def page(
        name: str, *asked: tuple[Mapping[str, Any], str], order: str = newest, goal: str = "list"
    ) -> Page:
        addresses = [
            (f"/api/contacts?{urlencode(query, doseq=True)}", listed(where, order))
            for query, where in asked
        ]
        return Page(f"contacts {name}", goal, addresses)

    def found(text: str) -> str:
        from contacts.identity import fold

        words = fold(text).replace("'", "''").split()
        return " AND ".join(map(_holding, words))

    def having(name: str, condition: str) -> str:
        return (
            "c.id IN (SELECT v.contact_id FROM customfields_customfieldvalue v"
            " JOIN customfields_customfield f ON f.id = v.field_id"
            " LEFT JOIN customfields_customfieldoption o ON o.id = v.value_option_id"
            f" WHERE f.organisation_id = {org} AND f.name = '{name}' AND {condition})"
        )

    def tagged(name: str) -> str:
        return (
            "c.id IN (SELECT l.contact_id FROM contacts_contacttag l JOIN contacts_tag t"
            f" ON t.id = l.tag_id WHERE t.organisation_id = {org} AND t.name = '{name}')"
        )

    def searched(texts: Iterable[str], **more: str) -> list[tuple[Mapping[str, Any], str]]:
        return [({"search": text, **more}, found(text)) for text in texts]

    def order(name: str, way: str) -> dict[str, str]:
        return {f"order[{name}]": way}

    yield page("newest", ({}, "1=1"))
    yield Page(
        "contacts page 300",
        "list",
        [("/api/contacts?page=300", f"{listed('1=1')} OFFSET 8970")],
    )
    emails = [one.email_address or "" for one in who.people]
    yield page(
        "by e-mail", *(({"emailAddress": one}, f"c.email_key = '{one.lower()}'") for one in emails)
    )
    yield page(
        "by phone",
        *(({"phoneNumber": one.phone_number}, f"c.id = {one.pk}") for one in who.people),
    )
    yield page(
        "search, first and last name", *searched(["Olivia Smith", "José García", "Wei Patel"])
    )
    yield page("search, a frequent name", *searched(["olivia", "smith", "harry"]))
    yield page("search, a rare name", *searched(who.rare))
    yield page("search, part of a rare name", *searched(name[1:6] for name in who.rare))
    yield page("search, an e-mail", *searched(emails))
    yield page("search, digits", *searched((one.phone_number or "")[-9:] for one in who.people))
    yield page("search, two letters", *searched(["ol", "zo", "kv"]))
    yield page("search, nothing", *searched(["qqqxxx", "olivia qqqxxx", "smith xqxq"]))
    for name in ("name", "totalSpend"):
        by = {"name": "LOWER(c.name), c.id", "totalSpend": "r.total_spend DESC, r.contact_id DESC"}
        way = "asc" if name == "name" else "desc"
        yield page(
            f"search, a frequent name, by {name}",
            *searched(["olivia", "smith"], **order(name, way)),
            order=by[name],
        )
        yield page(
            f"search, a rare name, by {name}",
            *searched(who.rare, **order(name, way)),
            order=by[name],
        )
        yield page(
            f"search, two letters, by {name}",
            *searched(["ol", "kv"], **order(name, way)),
            order=by[name],
        )
        yield page(
            f"tag, by {name}",
            *(
                ({"tag": tag, **order(name, way)}, tagged(tag))
                for tag in ("Newsletter", "VIP", "Pressed")
            ),
            order=by[name],
        )
        yield page(
            f"customField, by {name}",
            (
                {"customField[diet]": "Vegan", **order(name, way)},
                having("diet", "o.value = 'Vegan'"),
            ),
            (
                {"customField[points][gte]": 1500, **order(name, way)},
                having("points", "v.value_number >= 1500"),
            ),
            order=by[name],
        )
    for tag in ("Newsletter", "VIP", "Pressed"):
        yield page(f"tag {tag}", ({"tag": tag}, tagged(tag)))
    yield page(
        "two tags",
        ({"tag": ["VIP", "Local"]}, f"{tagged('VIP')} AND {tagged('Local')}"),
        ({"tag": ["Newsletter", "Corporate"]}, f"{tagged('Newsletter')} AND {tagged('Corporate')}"),
    )
    yield page("kind person", ({"kind": "person"}, "c.kind = 'person'"))
    yield page("kind business", ({"kind": "business"}, "c.kind = 'business'"))
    yield page(
        "dob",
        ({"dob[after]": "1990-01-01"}, "c.dob >= '1990-01-01'"),
        ({"dob[after]": "2007-12-20"}, "c.dob >= '2007-12-20'"),
        (
            {"dob[after]": "1980-05-05", "dob[before]": "1980-05-06"},
            "c.dob BETWEEN '1980-05-05' AND '1980-05-06'",
        ),
    )
    for name, column in (
        ("createdAt", "c.created_at"),
        ("lastInteractedAt", "r.last_interacted_at"),
    ):
        yield page(
            name, *_moments(name, lambda sign, until, column=column: f"{column} {sign} '{until}'")
        )
    yield page(
        "updatedAt",
        # Nobody is changed before being created; the data's totals were, being made of history.
        *_moments(
            "updatedAt",
            lambda sign, until: (
                f"r.changed_at {sign} '{until}'"
                + (f" AND c.created_at <= '{until}'" if sign == "<" else "")
            ),
        ),
    )
    yield page(
        "totalSpend, few",
        ({"totalSpend[gte]": 10_000_000}, "r.total_spend >= 10000000"),
        ({"totalSpend[between]": "40000..40010"}, "r.total_spend BETWEEN 40000 AND 40010"),
    )
    yield page(
        "totalSpend, a hundredth",
        ({"totalSpend[gt]": 60_000}, "r.total_spend > 60000"),
        ({"totalSpend[between]": "12000..13000"}, "r.total_spend BETWEEN 12000 AND 13000"),
    )
    yield page(
        "totalSpend, many",
        ({"totalSpend[gte]": 5_000}, "r.total_spend >= 5000"),
        ({"totalSpend[lt]": 2_000}, "r.total_spend < 2000"),
        ({"totalSpend": 0}, "r.total_spend = 0"),
    )
    yield page(
        "totalOrders",
        ({"totalOrders[gte]": 3}, "r.total_orders >= 3"),
        ({"totalOrders[gte]": 20}, "r.total_orders >= 20"),
        ({"totalOrders": 7}, "r.total_orders = 7"),
        ({"totalOrders": 0}, "r.total_orders = 0"),
    )
    yield page(
        "recency, frequency, monetary",
        ({"recency": 5}, "r.recency = 5"),
        ({"frequency[gte]": 4, "monetary": 1}, "r.frequency >= 4 AND r.monetary = 1"),
        ({"recency": 1, "monetary": 5}, "r.recency = 1 AND r.monetary = 5"),
    )
    yield page(
        "totals, several",
        (
            {"totalSpend[gte]": 20_000, "totalOrders[lt]": 3},
            "r.total_spend >= 20000 AND r.total_orders < 3",
        ),
        (
            {"totalSpend[lt]": 3_000, "totalOrders[gte]": 4},
            "r.total_spend < 3000 AND r.total_orders >= 4",
        ),
    )
    yield page(
        "totals and order",
        (
            {"totalOrders[gte]": 3, **order("totalSpend", "desc")},
            "r.total_orders >= 3",
        ),
        (
            {"recency": 1, **order("totalSpend", "desc")},
            "r.recency = 1",
        ),
        order="r.total_spend DESC, r.contact_id DESC",
    )
    yield page(
        "customField equal",
        *(
            ({"customField[diet]": one}, having("diet", f"o.value = '{one}'"))
            for one in ("Vegan", "None")
        ),
        ({"customField[points]": 4321}, having("points", "v.value_number = 4321")),
    )
    yield page(
        "customField range",
        ({"customField[points][gte]": 100}, having("points", "v.value_number >= 100")),
        ({"customField[points][gte]": 2500}, having("points", "v.value_number >= 2500")),
        ({"customField[points][lt]": 12}, having("points", "v.value_number < 12")),
        (
            {"customField[member_since][before]": "2005-02-01"},
            having("member_since", "v.value_date <= '2005-02-01'"),
        ),
    )
    yield page(
        "customField exists",
        ({"customField[diet][exists]": "true"}, having("diet", "1=1")),
        ({"customField[diet][exists]": "false"}, f"NOT {having('diet', '1=1')}"),
    )
    yield page(
        "customField, two options",
        *(
            (
                {"customField[interests]": ",".join(pair)},
                " AND ".join(having("interests", f"o.value = '{one}'") for one in pair),
            )
            for pair in (("Golf", "Spa"), ("Music", "Running"))
        ),
    )
    yield page(
        "customFields, two",
        (
            {"customField[diet]": "Vegan", "customField[points][gte]": 800},
            f"{having('diet', chr(39).join(('o.value = ', 'Vegan', '')))}"
            f" AND {having('points', 'v.value_number >= 800')}",
        ),
    )
    for name, by in (
        ("createdAt", "c.created_at, c.id"),
        ("updatedAt", "r.changed_at, r.contact_id"),
        ("totalSpend", "r.total_spend, r.contact_id"),
        ("totalOrders", "r.total_orders, r.contact_id"),
        ("name", "LOWER(c.name), c.id"),
    ):
        yield page(f"by {name}", (order(name, "asc"), "1=1"), order=by)
        down = " DESC, ".join([*by.rsplit(", ", 1)]) + " DESC"
        yield page(f"by {name}, descending", (order(name, "desc"), "1=1"), order=down)
    yield page(
        "by lastInteractedAt, descending",
        (order("lastInteractedAt", "desc"), "r.last_interacted_at IS NOT NULL"),
        order="r.last_interacted_at DESC, r.contact_id DESC",
    )
    points = (
        "(SELECT v.value_number FROM customfields_customfieldvalue v JOIN customfields_customfield"
        f" f ON f.id = v.field_id WHERE f.organisation_id = {org} AND f.name = 'points'"
        " AND v.contact_id = c.id)"
    )
    yield page(
        "by customField.points",
        (order("customField.points", "desc"), having("points", "1=1")),
        order=f"{points} DESC, c.id DESC",
    )
    yield page("count=true", ({"count": "true"}, "1=1"))
    yield page(
        "count=true of a filter",
        ({"count": "true", "totalOrders[gte]": 3}, "r.total_orders >= 3"),
        ({"count": "true", "tag": "Newsletter"}, tagged("Newsletter")),
        ({"count": "true", "search": "olivia"}, found("olivia")),
    )


def _holding(word: str) -> str:
    """Two letters are found where a word begins, other words anywhere."""
    if len(word) != 2:
        return f"c.search_text LIKE '%{word}%'"
    begins = ["", *(f"%{mark}" for mark in (" ", "-", ".", "@", "''"))]
    either = " OR ".join(f"c.search_text LIKE '{begin}{word}%'" for begin in begins)
    return f"({either})"


def _moments(
    name: str, where: Callable[[str, str], str]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Before a day and after one, early and late."""
    for day, until in (("2025-02-03", "2025-02-04"), ("2026-06-06", "2026-06-07")):
        yield {f"{name}[before]": day}, where("<", until)
        yield {f"{name}[strictly_after]": day}, where(">=", until)


def activity_lists(who: Population) -> Iterator[Page]:
    """`GET /activities` and a contact's."""
    org = who.organisation.pk
    usual = [one.pk for one in who.people[:4]]

    def listed(where: str) -> str:
        return (
            f"SELECT a.id FROM activities_activity a WHERE a.organisation_id = {org} AND ({where})"
            " ORDER BY a.happened_at DESC, a.id DESC LIMIT 30"
        )

    def page(name: str, *asked: tuple[Mapping[str, Any], str]) -> Page:
        addresses = [
            (f"/api/activities?{urlencode(query, doseq=True)}", listed(where))
            for query, where in asked
        ]
        return Page(f"activities {name}", "list", addresses)

    yield page("newest", ({}, "1=1"))
    yield page(
        "type",
        ({"type": "Purchase"}, "a.type = 'Purchase'"),
        ({"type": "Refund"}, "a.type = 'Refund'"),
        ({"type": "Golf reservation"}, "a.type = 'Golf reservation'"),
    )
    yield page(
        "two types",
        ({"type": ["Purchase", "Refund"]}, "a.type IN ('Purchase', 'Refund')"),
        (
            {"type": ["Checked in", "Golf reservation"]},
            "a.type IN ('Checked in', 'Golf reservation')",
        ),
    )
    yield page(
        "source",
        *(({"source": one}, f"a.source = '{one}'") for one in ("till", "shopify", "unknown")),
    )
    yield page(
        "currencyCode",
        *(({"currencyCode": one}, f"a.currency_code = '{one}'") for one in ("GBP", "EUR", "USD")),
    )
    yield page(
        "source and type",
        ({"source": "mews", "type": "Purchase"}, "a.source = 'mews' AND a.type = 'Purchase'"),
        ({"source": "unknown", "type": "Refund"}, "a.source = 'unknown' AND a.type = 'Refund'"),
    )
    yield page(
        "externalReference",
        *(
            ({"externalReference": one}, f"a.external_reference = '{one}'")
            for one in who.references
        ),
    )
    yield page(
        "happenedAt",
        ({"happenedAt[before]": "2025-03-03"}, "a.happened_at < '2025-03-04'"),
        (
            {"happenedAt[after]": "2025-07-01", "happenedAt[before]": "2025-07-02"},
            "a.happened_at >= '2025-07-01' AND a.happened_at < '2025-07-03'",
        ),
    )
    yield page(
        "createdAt, updatedAt",
        ({"createdAt[after]": "2026-11-02"}, "a.created_at >= '2026-11-02'"),
        ({"createdAt[after]": "2020-01-01"}, "a.created_at >= '2020-01-01'"),
        ({"updatedAt[strictly_before]": "2026-11-01"}, "a.updated_at < '2026-11-01'"),
        ({"updatedAt[after]": "2026-11-01"}, "a.updated_at >= '2026-11-01'"),
    )
    yield page(
        "spend, few",
        ({"spend[gte]": 150_000}, "a.spend >= 150000"),
        ({"spend": 43_210}, "a.spend = 43210"),
        ({"spend[lt]": -40_000}, "a.spend < -40000"),
    )
    yield page(
        "spend, a hundredth",
        ({"spend[gte]": 15_000}, "a.spend >= 15000"),
        ({"spend[between]": "5000..5100"}, "a.spend BETWEEN 5000 AND 5100"),
        ({"spend[lt]": -500}, "a.spend < -500"),
    )
    yield page(
        "spend, many",
        ({"spend[gt]": 0}, "a.spend > 0"),
        ({"spend": 0}, "a.spend = 0"),
    )
    yield page(
        "spend and type",
        (
            {"spend[gte]": 15_000, "type": "Shopify order"},
            "a.spend >= 15000 AND a.type = 'Shopify order'",
        ),
        ({"spend[gte]": 15_000, "type": "Refund"}, "a.spend >= 15000 AND a.type = 'Refund'"),
    )
    yield page("of a contact", *(({"contact": pk}, f"a.contact_id = {pk}") for pk in usual))
    yield page("of the busiest", ({"contact": who.busy}, f"a.contact_id = {who.busy}"))
    yield page(
        "of the busiest, filtered",
        *(
            ({"contact": who.busy, **query}, f"a.contact_id = {who.busy} AND {where}")
            for query, where in (
                ({"type": "Refund"}, "a.type = 'Refund'"),
                ({"type": "Golf reservation"}, "a.type = 'Golf reservation'"),
                ({"source": "unknown"}, "a.source = 'unknown'"),
                ({"spend[gte]": 60_000}, "a.spend >= 60000"),
            )
        ),
    )
    yield Page(
        "contact's activities, the busiest",
        "list",
        [
            (f"/api/contacts/{who.busy}/activities", listed(f"a.contact_id = {who.busy}")),
            (
                f"/api/contacts/{who.busy}/activities?type=Golf+reservation",
                listed(f"a.contact_id = {who.busy} AND a.type = 'Golf reservation'"),
            ),
            (
                f"/api/contacts/{who.busy}/activities?source=unknown",
                listed(f"a.contact_id = {who.busy} AND a.source = 'unknown'"),
            ),
        ],
    )
    yield page("count=true", ({"count": "true"}, "1=1"))
    yield page(
        "count=true of a filter",
        ({"count": "true", "type": "Purchase"}, "a.type = 'Purchase'"),
        ({"count": "true", "source": "till"}, "a.source = 'till'"),
    )


def single_answers(who: Population) -> Iterator[Page]:
    """`GET /contacts/{id}` and how its totals come about."""
    usual = [one.pk for one in who.people[:4]]
    yield Page("contact", "list", [(f"/api/contacts/{pk}", None) for pk in usual])
    yield Page("contact, the busiest", "list", [(f"/api/contacts/{who.busy}", None)])
    yield Page("rollups", "page", [(f"/api/contacts/{pk}/rollups", None) for pk in usual])
    yield Page("rollups, the busiest", "page", [(f"/api/contacts/{who.busy}/rollups", None)])


def admin_pages(who: Population) -> Iterator[Page]:
    """What staff look at."""
    org = who.organisation.pk

    def listed(where: str = "1=1", order: str = "c.created_at DESC, c.id DESC") -> str:
        return (
            "SELECT c.id FROM contacts_contact c JOIN contacts_contactrollup r"
            f" ON r.contact_id = c.id WHERE c.organisation_id = {org}"
            f" AND c.merged_into_id IS NULL AND ({where}) ORDER BY {order} LIMIT 50"
        )

    def happened(where: str = "1=1") -> str:
        return (
            f"SELECT a.id FROM activities_activity a WHERE a.organisation_id = {org} AND ({where})"
            " ORDER BY a.happened_at DESC, a.id DESC LIMIT 50"
        )

    def grouped(having: str, first: str, past: str, types: str) -> str:
        return listed(
            "c.id IN (SELECT a.contact_id FROM activities_activity a"
            f" WHERE a.organisation_id = {org}"
            f" AND a.happened_at >= '{first}' AND a.happened_at < '{past}'"
            f" AND a.type IN ({types}) GROUP BY a.contact_id HAVING {having})"
        )

    people, acts = "/admin/contacts/contact/", "/admin/activities/activity/"
    month = "from=2026-10-02&to=2026-10-31"
    year = "from=2025-11-01&to=2026-10-31"
    yield Page("dashboard, 30 days", "dashboard", [(f"/admin/?period=custom&{month}", None)])
    yield Page("dashboard, 12 months", "dashboard", [(f"/admin/?period=custom&{year}", None)])
    yield Page("contacts", "changelist", [(people, listed())])
    yield Page("contacts, page 150", "changelist", [(f"{people}?p=150", f"{listed()} OFFSET 7450")])
    yield Page(
        "contacts, search",
        "changelist",
        [
            (f"{people}?q={quote(text)}", listed(where))
            for text, where in [
                ("olivia smith", "c.search_text LIKE '%olivia%' AND c.search_text LIKE '%smith%'"),
                ("olivia", "c.search_text LIKE '%olivia%'"),
                *(
                    (name.lower(), f"c.search_text LIKE '%{name.lower()}%'")
                    for name in who.rare[:3]
                ),
            ]
        ],
    )
    fields = (
        "c.id IN (SELECT v.contact_id FROM customfields_customfieldvalue v JOIN"
        " customfields_customfield f ON f.id = v.field_id LEFT JOIN"
        " customfields_customfieldoption o ON o.id = v.value_option_id"
        f" WHERE f.organisation_id = {org} AND f.name = "
    )
    yield Page(
        "contacts, a custom field",
        "changelist",
        [
            (f"{people}?cf_diet=Vegan", listed(f"{fields}'diet' AND o.value = 'Vegan')")),
            (
                f"{people}?cf_points_from=2500",
                listed(f"{fields}'points' AND v.value_number >= 2500)"),
            ),
        ],
    )
    yield Page(
        "contacts, by spend",
        "changelist",
        [(f"{people}?o=-5", listed(order="r.total_spend DESC, r.contact_id DESC"))],
    )
    yield Page(
        "contacts, by name", "changelist", [(f"{people}?o=1", listed(order="LOWER(c.name), c.id"))]
    )
    yield Page(
        "contacts, spend from",
        "changelist",
        [
            (f"{people}?spend_from=600", listed("r.total_spend >= 60000")),
            (f"{people}?spend_from=50", listed("r.total_spend >= 5000")),
        ],
    )
    types = "'Purchase', 'Shopify order'"
    first, past = "2026-10-02", "2026-11-01"
    again = [
        (
            f"{people}?ordered_from={begin}&ordered_to=2026-10-31&ordered_times=2",
            grouped("COUNT(*) > 1", begin, past, types),
        )
        for begin in (first, "2025-11-01")
    ]
    yield Page("contacts, ordered again in 30 days", "changelist", again[:1])
    yield Page("contacts, ordered again in 12 months", "changelist", again[1:])
    yield Page("activities", "changelist", [(acts, happened())])
    yield Page(
        "activities, filtered",
        "changelist",
        [
            (f"{acts}?of_type=Refund", happened("a.type = 'Refund'")),
            (
                f"{acts}?counts=money&currency=EUR&happened_from=2026-10-02&happened_to=2026-10-31",
                happened(
                    "a.spend <> 0 AND a.currency_code = 'EUR' AND"
                    " a.happened_at >= '2026-10-02' AND a.happened_at < '2026-11-01'"
                ),
            ),
        ],
    )
    yield Page("segments", "changelist", [("/admin/contacts/segment/", None)])
    yield Page("duplicates", "changelist", [("/admin/contacts/duplicatepair/", None)])
    usual = [one.pk for one in who.people[:4]]
    yield Page("contact page", "page", [(f"{people}{pk}/change/", None) for pk in usual])
    yield Page("contact page, the busiest", "page", [(f"{people}{who.busy}/change/", None)])
    yield Page(
        "timeline, 30 more, the busiest",
        "page",
        [
            (
                f"{people}{who.busy}/timeline/?before={quote('2025-06-01T00:00:00+00:00~activity~0')}",
                None,
            )
        ],
    )
    yield Page("why this total", "page", [(f"{people}{pk}/explain/", None) for pk in usual])
    yield Page("why this total, the busiest", "page", [(f"{people}{who.busy}/explain/", None)])

    def palette(name: str, texts: Iterable[str]) -> Page:
        return Page(
            f"palette, {name}",
            "search",
            [(f"/admin/find/?{urlencode({'q': one})}", None) for one in texts],
        )

    yield palette("an e-mail", (one.email_address or "" for one in who.people[:5]))
    yield palette("a phone", (one.phone_number or "" for one in who.people[:5]))
    yield palette("a reference", who.references)
    yield palette("a whole name", (one.name for one in who.people))
    yield palette("part of a rare name", (name[1:6] for name in who.rare))
    yield palette("part of a frequent name", ["livi", "mith", "arry"])
    yield palette("two letters", ["ol", "zo", "kv"])
    yield palette(
        "a typing error", [*(_mistyped(name) for name in who.rare), "Olivai Smiht", "Pateel"]
    )
    yield palette("nothing", ["qqqxxx", "xyzzy plugh"])


def _mistyped(name: str) -> str:
    """Two letters exchanged, in the middle."""
    at = len(name) // 2
    return f"{name[: at - 1]}{name[at]}{name[at - 1]}{name[at + 1 :]}"


EVERYTHING: Sequence[Callable[[Population], Iterator[Page]]] = (
    contact_lists,
    activity_lists,
    single_answers,
    admin_pages,
)


# Asking


def prepare(organisation: Organisation) -> tuple[Client, Client]:
    """A client with a key and one of a member of staff; and what the pages need beside the data."""
    from django.contrib.auth.models import Group
    from django.test import Client
    from django.utils.crypto import get_random_string

    from desk.dashboard import services as dashboard
    from desk.dashboard.models import DashboardSnapshot
    from organisations import roles
    from organisations import services as organisation_services

    _interests(organisation)
    _key, secret = organisation_services.create_api_key(organisation=organisation, name="Bench")
    email = f"{get_random_string(12).lower()}@example.com"
    membership, _new = organisation_services.add_member(
        organisation=organisation, email=email, role=Group.objects.get(name=roles.OWNER)
    )
    api = Client(headers={"x-api-key": secret, "host": "127.0.0.1"})
    staff = Client(headers={"host": "127.0.0.1"})
    staff.force_login(membership.user, backend="organisations.backends.RoleBackend")
    for period in ("standing", "2026-10-02~2026-10-31", "2025-11-01~2026-10-31"):
        row, _created = DashboardSnapshot.objects.for_organisation(organisation).get_or_create(
            organisation=organisation, period=period
        )
        row.organisation = organisation
        if row.figures is None:
            dashboard.compute(row)
        print(f"  figures of {period}: {row.seconds:.1f} s", file=sys.stderr)
    return api, staff


def _interests(organisation: Organisation) -> None:
    """A multi select: half of the contacts have one option of it, a quarter two."""
    import random

    from benchmarks.data import copy
    from contacts.models import Contact
    from customfields import services
    from customfields.models import CustomField, CustomFieldValue

    if CustomField.objects.for_organisation(organisation).filter(name=FIELD).exists():
        return
    made = services.define(
        organisation=organisation, label="Interests", type="Multi select", options=list(CHOICES)
    )
    options = list(made.options.order_by("position").values_list("pk", flat=True))
    rng = random.Random(7)
    ids = Contact.objects.for_organisation(organisation).order_by("pk").values_list("pk", flat=True)
    rows = []
    for pk in ids:
        rows += [(pk, one) for one in rng.sample(options, rng.choice((0, 1, 1, 2)))]
    copy(
        CustomFieldValue,
        ["contact_id", "value_option_id"],
        rows,
        organisation=organisation,
        field=made,
        multiple=True,
    )


def check(client: Client, address: str, ids_wanted: str | None) -> tuple[int, int, int]:
    """Queries, bytes and the bytes of static parts of an answer that lists the right rows.

    Raises AssertionError for any other.
    """
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code, answer.content[:300])
    if ids_wanted is not None:
        with connection.cursor() as cursor:
            cursor.execute(ids_wanted)
            wanted = [row[0] for row in cursor.fetchall()]
        if address.startswith("/api/"):
            found = [row["id"] for row in json.loads(answer.content)]
        else:
            ticks = r'name="_selected_action" value="(\d+)"'
            found = [int(pk) for pk in re.findall(ticks, answer.content.decode())]
        assert found == wanted, (address, found[:5], wanted[:5], len(found), len(wanted))
    return len(captured), len(answer.content), _static_bytes(answer.content.decode())


def _static_bytes(page: str) -> int:
    """All that the page's styles and scripts weigh, before they are compressed."""
    from django.contrib.staticfiles import finders

    parts = set(re.findall(r'(?:src|href)="/static/([^"?]+\.(?:js|css|woff2|svg))', page))
    files = [finders.find(re.sub(r"\.[0-9a-f]{12}(?=\.)", "", part)) for part in parts]
    return sum(Path(str(file)).stat().st_size for file in files if file)


def measure(page: Page, client: Client, samples: int) -> Measured:
    """Check every address, then ask for them in turn."""
    found = Measured(goal=page.goal)
    for number, (address, ids_wanted) in enumerate(page.addresses):
        counted = check(client, address, ids_wanted)
        if not number:
            found.queries, found.page_bytes, found.static_bytes = counted
    taken: dict[str, list[float]] = {address: [] for address, _ids in page.addresses}
    worked: dict[str, list[float]] = {address: [] for address, _ids in page.addresses}
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until and found.samples < samples:
        for address, its in taken.items():
            busy, began = processor_time(), time.perf_counter()
            client.get(address)
            its.append(1000 * (time.perf_counter() - began))
            worked[address].append(processor_time() - busy)
            found.samples += 1
    every = [one for its in taken.values() for one in its]
    # Of addresses that take differently long, the slowest one's median is the page's.
    found.medians = {address: round(median(its), 1) for address, its in taken.items()}
    found.median = max(found.medians.values())
    found.p99 = round(quantiles(every, n=100)[98] if len(every) > 1 else every[0], 1)
    found.works = {address: round(median(its), 1) for address, its in worked.items()}
    found.work = max(found.works.values())
    found.slowest = round(max(every), 1)
    return found


def processor_time() -> float:
    """Milliseconds that this process has had of a processor, and the one that serves its database
    connection: what a page costs, however many others want the same processors. Parallel workers of
    PostgreSQL are not in it."""
    from django.db import connection

    own = 1000 * time.process_time()
    if connection.vendor != "postgresql" or connection.connection is None:
        return own
    schedule = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return own + int(schedule.read_text().split()[0]) / 1e6 if schedule.exists() else own


def measure_all(only: str = "", samples: int = SAMPLES) -> dict[str, Measured]:
    """Every page of the organisation that `benchmarks.data` wrote into this database."""
    from django.test.utils import override_settings

    from organisations.models import Organisation

    organisation = Organisation.objects.filter(name="Bench").latest("pk")
    found: dict[str, Measured] = {}
    with override_settings(API_RATE_LIMIT="1000000/s"):
        api, staff = prepare(organisation)
        who = Population(organisation)
        for pages in EVERYTHING:
            for page in pages(who):
                if not re.search(only, page.name):
                    continue
                client = api if page.addresses[0][0].startswith("/api/") else staff
                its = found[page.name] = measure(page, client, samples)
                print(
                    f"  {its.work:>8.1f} {its.median:>8.1f} {its.p99:>8.1f}  {page.name}",
                    file=sys.stderr,
                )
    return found


# Telling


def table(small: Mapping[str, Measured], large: Mapping[str, Measured]) -> list[str]:
    """Both sizes beside each other, as a Markdown table."""
    lines = [
        "| page | small, ms | large, ms | ratio | p99, ms | processor, ms | queries |"
        " page, KB | static, KB | goal |  |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, its in large.items():
        before = small.get(name)
        ratio = _ratio(before, its)
        goal = GOALS[its.goal]
        cells = [
            name,
            f"{before.median:.1f}" if before else "",
            f"{its.median:.1f}",
            f"{ratio:.2f}" if ratio else "",
            f"{its.p99:.0f}",
            f"{before.work:.0f} {its.work:.0f}" if before else f"{its.work:.0f}",
            str(its.queries),
            f"{its.page_bytes / 1000:.0f}",
            f"{its.static_bytes / 1000:.0f}" if its.static_bytes else "",
            str(goal),
            "" if is_reached(goal, its, ratio) else "missed",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _ratio(small: Measured | None, large: Measured) -> float | None:
    """Of the medians; of the address that grew the most."""
    if small is None:
        return None
    pairs = zip(small.medians.values(), large.medians.values(), strict=False)
    return max(after / before for before, after in pairs)


def is_reached(goal: Goal, its: Measured, ratio: float | None) -> bool:
    """Whether a page is as quick as it is to be."""
    return (
        (goal.ratio is None or ratio is None or ratio <= goal.ratio)
        and (goal.median is None or its.median < goal.median)
        and (goal.p99 is None or its.p99 < goal.p99)
    )


def both(
    urls: Mapping[str, str],
    only: str = "",
    samples: int = SAMPLES,
    out: Path | None = None,
) -> None:
    """Measure each size in a process of its own, and print them beside each other."""
    told = {size: _in_child(url, only, samples) for size, url in urls.items()}
    if out is not None:
        out.write_text(json.dumps(told, indent=1))
    found = {
        size: {name: Measured(**its) for name, its in pages.items()} for size, pages in told.items()
    }
    print(f"pages, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {os.getloadavg()[0]:.1f}")
    print("\n".join(table(found["small"], found["large"])))


def _in_child(size: str, database: str | None, only: str, samples: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.pages", "--measure", size]
    command += ["--only", only, "--samples", str(samples)]
    environment = {**os.environ}
    if database is not None:
        command.append("--existing")
        environment["DATABASE_URL"] = database
    done = subprocess.run(  # ourselves
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _measure_here(only: str, samples: int) -> None:
    """What a child does: measure this process's database."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
    django.setup()
    found = measure_all(only, samples)
    print(json.dumps({name: asdict(its) for name, its in found.items()}))


@contextmanager
def databases(given: Mapping[str, str | None]) -> Iterator[dict[str, str]]:
    """The addresses that were given, and those of copies of populations where none was."""
    kept: Database = SQLite()
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        kept = PostgreSQL(os.environ["DATABASE_URL"])
    with ExitStack() as stack:
        urls = {}
        for size, url in given.items():
            people, told = PEOPLE[size]
            sizes = replace(SIZES["large"], people=people, told=told)
            urls[size] = url or stack.enter_context(copy_of(kept, population(kept, sizes)))
        yield urls


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages")
    parser.add_argument("--small", metavar="URL")
    parser.add_argument("--large", metavar="URL")
    parser.add_argument("--only", default="", metavar="REGEX", help="pages whose name has this")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--json", type=Path, help="write what was measured there too")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        _measure_here(options.only, options.samples)
        return
    with databases({"small": options.small, "large": options.large}) as urls:
        both(urls, options.only, options.samples, options.json)


if __name__ == "__main__":
    main()
