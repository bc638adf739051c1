"""What a trigger is: one small class for each type, registered by `@trigger`.

docs/add-a-trigger.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from workflows import inputs

if TYPE_CHECKING:
    from activities.models import Activity
    from contacts.models import Contact
    from contacts.querysets import ContactQuerySet
    from organisations.models import Organisation
    from workflows.steps.base import CleanContext
    from workflows.words import Said

COMMON = frozenset({"type", "conditions", "reentry"})
"""The keys that every trigger's JSON may have."""


class Family(Enum):
    """Under which heading people find a trigger. In this order."""

    CONTACT = gettext_lazy("Contacts")
    ACTIVITY = gettext_lazy("What contacts do")
    TIME = gettext_lazy("Time")
    DIRECT = gettext_lazy("By hand and other systems")


@dataclass(frozen=True)
class Happening:
    """An event, with whom and what it is about read from the database."""

    kind: str
    organisation: Organisation
    contact: Contact
    activity: Activity | None
    payload: Mapping[str, Any] = field(default_factory=dict)


class Trigger:
    """A type of trigger. Instances hold nothing: one serves all.

    Its conditions and its re-entry policy are looked after elsewhere; here is which events it
    hears, and which of them it takes.
    """

    type: ClassVar[str]
    label: ClassVar[str | Promise]
    event: ClassVar[str]
    """The kind of `Event` that it hears."""
    keys: ClassVar[frozenset[str]] = frozenset()
    """The keys that its JSON may have, beside `COMMON`."""
    refers: ClassVar[Mapping[str, str]] = {}
    """As of a `Step`: the keys that hold ids, with their models."""
    hint: ClassVar[str | Promise] = ""
    """What people are to know of it when they choose it."""
    family: ClassVar[Family] = Family.CONTACT
    icon: ClassVar[str] = "bolt"
    """Of Material Symbols."""
    form: ClassVar[inputs.Form] = ()
    """What people fill in, conditions and re-entry aside."""
    blank: ClassVar[Mapping[str, Any]] = {}
    """The keys of a new one."""
    about: ClassVar[tuple[str, ...]] = ("contact",)
    """What its conditions and steps may speak of: `"activity"` when one starts it."""
    momentary: ClassVar[bool] = False
    """Whether it leaves nothing behind by which to tell later whom it concerned."""

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        """What of it is its own, for its card: `Purchase`. As a `Step`'s."""
        return ""

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        """Check the keys of its own. Raises ValidationError with a dict of paths."""

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        """What the organisation must tell it of, for `Organisation.listens_to`; see
        `workflows.events`."""
        return [self.event]

    def takes(self, data: Mapping[str, Any], happening: Happening) -> bool:
        """Whether it starts at this event, its conditions aside."""
        return True

    def existing(
        self, data: Mapping[str, Any], contacts: ContactQuerySet, now: datetime
    ) -> ContactQuerySet | None:
        """Those of `contacts` who would have been taken before the workflow was there, its
        conditions aside; None where that says nothing. They may enter when it is activated."""
        return None if self.momentary or "activity" in self.about else contacts


TRIGGERS: dict[str, Trigger] = {}

AnyTrigger = TypeVar("AnyTrigger", bound=type[Trigger])


def trigger(cls: AnyTrigger) -> AnyTrigger:
    """Make this a type of trigger."""
    TRIGGERS[cls.type] = cls()
    return cls
