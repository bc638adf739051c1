"""A rule that was read, and its three answers: a query, a check in memory, an explanation."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.rules.fields import Clause
from contacts.rules.groups import Group
from contacts.rules.moments import At
from contacts.rules.parsing import MOST_CLAUSES, Reading
from contacts.rules.queries import Query
from contacts.rules.subjects import Loader, Need, Subject, gather
from organisations.models import Organisation

if TYPE_CHECKING:
    from contacts.models import Contact
    from contacts.querysets import ContactQuerySet


MOST_IN_ALL = 3 * MOST_CLAUSES


@dataclass(frozen=True)
class Finding:
    """What became of one condition: `path` is where it stands in the rule (`all.0`), `found` what
    the contact has there: null, a value, or a list of several. `said` and `found_said` are the
    condition and that in words."""

    path: str
    field: str
    label: str
    operator: str
    operator_label: str
    value: Any
    found: Any
    holds: bool
    said: str
    found_said: str


class Rule:
    """A rule of one organisation. Never changes; may be kept and asked any number of times.

    `narrow` and `holds` agree on every contact, whatever the rule.
    """

    def __init__(self, organisation: Organisation, root: Group | Clause) -> None:
        self.organisation = organisation
        self.root = root

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """Every condition in the order written."""
        root = self.root
        return tuple(root.clauses()) if isinstance(root, Group) else (root,)

    @cached_property
    def watches(self) -> frozenset[str]:
        """What it reads: names of fields such as `contact.totalSpend`, and `activities`."""
        return frozenset().union(*(clause.watches for clause in self.clauses))

    @cached_property
    def moves_with_time(self) -> bool:
        """Whether its answer can change without anything happening."""
        return any(clause.moves_with_time for clause in self.clauses)

    @cached_property
    def size(self) -> int:
        """How many conditions it comes to, those of the segments that it names included."""
        return sum(clause.size for clause in self.clauses)

    @cached_property
    def needs(self) -> Mapping[Loader, Collection[Need]]:
        """What it reads of a subject's facts."""
        found: dict[Loader, set[Need]] = {}
        for clause in self.clauses:
            for loader, wanted in clause.needs().items():
                found.setdefault(loader, set()).update(wanted)
        return found

    def narrow(
        self,
        contacts: ContactQuerySet,
        *,
        now: datetime.datetime | None = None,
        activity: Any = None,
        among: Mapping[str, Any] | None = None,
    ) -> ContactQuerySet:
        """Those of `contacts` (of this organisation) for which the rule holds. No query.

        `among` bounds the subqueries where `contacts` are few: lookups on the contact's id, such as
        `{"gte": 1, "lte": 5000}`, which `contacts` must keep to by itself.
        """
        at = At.of(self.organisation, now or timezone.now())
        query = Query(self.organisation, at, activity, among or {})
        return contacts.filter(self.root.condition(query))

    def holds(self, subject: Subject) -> bool:
        """Whether the rule holds for the subject. A query for each kind of fact that it needs and
        that the subject does not know yet."""
        subject.expect(self.needs)
        return self.root.holds(subject)

    def explain(self, subject: Subject) -> list[Finding]:
        """Each condition, with what was found and whether it held."""
        subject.expect(self.needs)
        code = self.organisation.currency_code
        return [
            Finding(
                path=clause.path.rstrip("."),
                field=clause.field.name,
                label=str(clause.field.label),
                operator=clause.operator.name,
                operator_label=str(clause.operator.label),
                value=clause.value,
                found=clause.found(subject),
                holds=clause.holds(subject),
                said=clause.said(code),
                found_said=clause.found_said(subject, code),
            )
            for clause in self.clauses
        ]


def parse(
    data: Any,
    *,
    organisation: Organisation,
    about: Collection[str] = ("contact",),
    reading: Reading | None = None,
) -> Rule:
    """The rule that `data` (JSON, read) says.

    `about` says what there is to ask: a contact, or with `"activity"` also the activity that
    started it. Raises ValidationError with a dict of paths, such as `all.0.operator`; the path of
    the whole is `""`. No query but for custom fields, own types of activity and segments that it
    names: none for those either with a `reading` that has them already.
    """
    reading = Reading(organisation, about) if reading is None else reading.again(reading.within)
    root = reading.rule(data)
    if root is None:
        raise ValidationError(dict(reading.errors))
    rule = Rule(organisation, root)
    if rule.size > MOST_IN_ALL:
        raise ValidationError(
            {
                "": ValidationError(
                    _("With the segments that it names, a rule has at most %(most)d conditions."),
                    code="too_many",
                    params={"most": MOST_IN_ALL},
                )
            }
        )
    return rule


def subjects(
    contacts: Iterable[Contact],
    *rules: Rule,
    now: datetime.datetime | None = None,
) -> list[Subject]:
    """These contacts as subjects who know all that `rules` ask: a fixed number of queries."""
    now = now or timezone.now()
    made = [Subject(contact, now=now) for contact in contacts]
    for subject in made:
        for rule in rules:
            subject.expect(rule.needs)
    gather(made)
    return made
