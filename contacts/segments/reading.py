"""What is told of segments and rules: previews, and how one contact stands to each segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction

from contacts.models import Contact, ContactTag
from contacts.rules import Finding, Reading, Rule, Subject, parse
from contacts.segments.models import Segment
from contacts.segments.querysets import SegmentQuerySet

MOST_COUNTED = 10_000
SAMPLE = 10
PATIENCE = 5
"""Seconds that somebody who writes a rule will wait to see how many it finds."""
_GIVEN_UP = "57014"


@dataclass(frozen=True)
class Preview:
    """`count` is exact unless there are `more`; None when counting took too long."""

    count: int | None
    more: bool
    contacts: Sequence[Contact]


def preview(rule: Rule) -> Preview:
    """For how many contacts the rule holds, and the newest of them. Two queries, which PostgreSQL
    gives up after `PATIENCE` seconds each."""
    contacts = Contact.objects.for_organisation(rule.organisation).current()
    found = rule.narrow(contacts)
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = {PATIENCE * 1000}")
                    cursor.execute("SET LOCAL jit = off")
            count = found.order_by()[: MOST_COUNTED + 1].count()
            sample = list(found.order_by("-created_at", "-pk")[:SAMPLE]) if count else []
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != _GIVEN_UP:
            raise
        return Preview(None, more=True, contacts=[])
    return Preview(min(count, MOST_COUNTED), count > MOST_COUNTED, sample)


@dataclass(frozen=True)
class Standing:
    """How a contact stands to a segment: whether it carries the tag, whether the rule holds now
    (None when it cannot be followed), and why."""

    segment: Segment
    member: bool
    holds: bool | None
    clauses: Sequence[Finding]


def standings(contact: Contact, among: SegmentQuerySet | None = None) -> list[Standing]:
    """Of every segment of the contact's organisation, or of those `among`, by name. A fixed number
    of queries for any number of segments."""
    organisation = contact.organisation
    segments = Segment.objects.for_organisation(organisation) if among is None else among
    links = ContactTag.objects.for_organisation(organisation).filter(contact=contact)
    carried = set(links.values_list("tag_id", flat=True))
    reading = Reading(organisation)
    subject = Subject(contact)
    read: list[tuple[Segment, Rule | None]] = []
    for segment in segments.order_by("name", "pk"):
        rule = _parsed(segment, reading)
        if rule is not None:
            subject.expect(rule.needs)
        read.append((segment, rule))
    return [
        Standing(
            segment,
            segment.tag_id in carried,
            None if rule is None else rule.holds(subject),
            [] if rule is None else rule.explain(subject),
        )
        for segment, rule in read
    ]


def _parsed(segment: Segment, reading: Reading) -> Rule | None:
    try:
        return parse(segment.rules, organisation=reading.organisation, reading=reading)
    except ValidationError:
        return None


def told(standing: Standing) -> dict[str, Any]:
    """A standing as the API tells it."""
    return {
        "segment": standing.segment.pk,
        "name": standing.segment.name,
        "member": standing.member,
        "holds": standing.holds,
        "clauses": [finding(one) for one in standing.clauses],
    }


def finding(one: Finding) -> dict[str, Any]:
    """What became of a condition, as the API tells it."""
    return {
        "path": one.path,
        "field": one.field,
        "label": one.label,
        "operator": one.operator,
        "operatorLabel": one.operator_label,
        "value": one.value,
        "found": one.found,
        "holds": one.holds,
        "said": one.said,
        "foundSaid": one.found_said,
    }
