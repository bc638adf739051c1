"""What people fill in of a step or a trigger: one input for each key of its JSON.

    form = (
        inputs.Money("amount", _("Amount"), required=True),
        inputs.Length("expiresAfter", _("Expires after")),
    )

They only say what there is. The admin makes form fields of them (`workflows.admin.controls`); what
is right is said by `clean` of the step or the trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from django.utils.functional import Promise

Words: TypeAlias = "str | Promise"
Options: TypeAlias = "Sequence[tuple[str, Words]] | Callable[[], Sequence[tuple[str, Words]]]"


@dataclass(frozen=True)
class Input:
    """One key, `help` being a line beneath it."""

    key: str
    label: Words
    help: Words = field(default="", kw_only=True)
    required: bool = field(default=False, kw_only=True)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the JSON that it stands for."""
        return (self.key,)


@dataclass(frozen=True)
class Text(Input):
    """A line of text."""

    longest: int = field(default=255, kw_only=True)


@dataclass(frozen=True)
class Template(Input):
    """A text that may name variables: `{{ contact.firstName }}`. More than one row is a letter."""

    rows: int = field(default=1, kw_only=True)


@dataclass(frozen=True)
class Choice(Input):
    """One of a few; the first when nothing is said."""

    options: Options = field(default=(), kw_only=True)


@dataclass(frozen=True)
class YesNo(Input):
    """True, or not there."""


@dataclass(frozen=True)
class Length(Input):
    """A duration: `P1D`."""


@dataclass(frozen=True)
class Offset(Input):
    """So long before or after: `-P3D`."""


@dataclass(frozen=True)
class Clock(Input):
    """A time of day: `09:30`."""


@dataclass(frozen=True)
class Money(Input):
    """An amount in the smallest unit, and its currency in another key."""

    currency: str = field(default="currencyCode", kw_only=True)

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, self.currency)


@dataclass(frozen=True)
class Tag(Input):
    """The name of a tag."""


@dataclass(frozen=True)
class ActivityType(Input):
    """The name of a type of activity."""


@dataclass(frozen=True)
class ActivityTypes(Input):
    """A list of them."""


@dataclass(frozen=True)
class DateField(Input):
    """A date of the contact, or of the activity; with `recurring`, one that comes round."""

    recurring: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Rule(Input):
    """Conditions. `about` says of what where that is not what the trigger allows."""

    about: tuple[str, ...] | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Segment(Input):
    """The id of a segment."""


@dataclass(frozen=True)
class OtherWorkflow(Input):
    """The id of another workflow."""


@dataclass(frozen=True)
class ContactFields(Input):
    """A list of fields of a contact."""


@dataclass(frozen=True)
class ContactValues(Input):
    """An object: what fields of the contact become."""


@dataclass(frozen=True)
class Lines(Input):
    """A list of texts, or one text."""


@dataclass(frozen=True)
class Object(Input):
    """A JSON object."""


@dataclass(frozen=True)
class QuietHours(Input):
    """`{"from": …, "to": …}`, false for none, nothing for the organisation's."""


@dataclass(frozen=True)
class Reentry(Input):
    """Who may enter again."""


@dataclass(frozen=True)
class Way:
    """One of several ways to fill in a step; those of a form exclude one another."""

    label: Words
    inputs: tuple[Input, ...]


Form: TypeAlias = "tuple[Input | Way, ...]"


def flat(form: Form) -> list[Input]:
    """The inputs of a form, those of its ways among them."""
    return [one for part in form for one in (part.inputs if isinstance(part, Way) else (part,))]
