"""What is told of segments and rules: previews, and how one contact stands to each segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from contacts.models import Contact, ContactTag
from contacts.rules import Finding, Reading, Rule, Subject, parse
from contacts.segments.models import Segment

MOST_COUNTED = 10_000
SAMPLE = 10


@dataclass(frozen=True)
class Preview:
    """`count` is exact unless there are `more`."""

    count: int
    more: bool
    contacts: Sequence[Contact]


def preview(rule: Rule) -> Preview:
    """For how many contacts the rule holds, and the newest of them. Two queries."""
    contacts = Contact.objects.for_organisation(rule.organisation).current()
    found = rule.narrow(contacts)
    count = found.order_by()[: MOST_COUNTED + 1].count()
    sample = list(found.order_by("-created_at", "-pk")[:SAMPLE]) if count else []
    return Preview(min(count, MOST_COUNTED), count > MOST_COUNTED, sample)


@dataclass(frozen=True)
class Standing:
    """How a contact stands to a segment: whether it carries the tag, whether the rule holds now
    (None when it cannot be followed), and why."""

    segment: Segment
    member: bool
    holds: bool | None
    clauses: Sequence[Finding]


def standings(contact: Contact) -> list[Standing]:
    """Of every segment by name. A fixed number of queries for any number of segments."""
    organisation = contact.organisation
    segments = Segment.objects.for_organisation(organisation).order_by("name", "pk")
    links = ContactTag.objects.for_organisation(organisation).filter(contact=contact)
    carried = set(links.values_list("tag_id", flat=True))
    reading = Reading(organisation)
    subject = Subject(contact)
    read: list[tuple[Segment, Rule | None]] = []
    for segment in segments:
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
        "clauses": [
            {
                "path": one.path,
                "field": one.field,
                "label": one.label,
                "operator": one.operator,
                "operatorLabel": one.operator_label,
                "value": one.value,
                "found": one.found,
                "holds": one.holds,
            }
            for one in standing.clauses
        ],
    }
