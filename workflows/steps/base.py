"""What a step is: one class for each type, in a file of its own in this package.

    @step
    class AddTag(Step):
        type = "add_tag"
        label = _("Add a tag")
        keys = frozenset({"tag"})
        form = (inputs.Tag("tag", _("Tag"), required=True),)

        def summary(self, data, said): ...
        def clean(self, data, context): ...
        def run(self, moment): ...

docs/add-a-workflow-step.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from workflows import inputs
from workflows.rulebook import Rulebook

if TYPE_CHECKING:
    from activities.models import Activity
    from contacts.models import Contact
    from contacts.rules import Finding, Rule, Subject
    from organisations.models import Organisation
    from workflows.models import Run, Workflow
    from workflows.words import Said


class Family(Enum):
    """Under which heading people find a step. In this order."""

    FLOW = gettext_lazy("Flow")
    MESSAGES = gettext_lazy("Messages")
    CONTACT = gettext_lazy("The contact")
    OTHER = gettext_lazy("Elsewhere")


class Retry(Exception):
    """This attempt failed, and the next may not: tried again after `after`, or after the usual
    pause."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


class GiveUp(Exception):
    """The step failed, and trying again would not help: the run fails at once, saying this."""


@dataclass(frozen=True, slots=True)
class Done:
    """The step did what it should; `output` is kept with the run, as JSON."""

    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """Run this step again at `until`. `memory` is then in `Moment.memory`."""

    until: datetime
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Run this step again at `until`, or as soon as an activity of one of these types is recorded
    for the contact."""

    types: Sequence[str]
    until: datetime
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Branch:
    """Go on with this list of steps of the step's, such as `then`."""

    path: str
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exit:
    """The run ends here, completed."""

    output: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Wait | WaitFor | Branch | Exit


@dataclass(frozen=True, slots=True)
class CleanContext:
    """Where a step that is checked stands: whose it is, what a rule in it may speak of
    (`("contact",)`, or with `"activity"`), and of which workflow, None for a new one."""

    organisation: Organisation
    about: tuple[str, ...]
    workflow: Workflow | None = None


@dataclass
class Moment:
    """A step at the time when it is run.

    `data` is the step's JSON, `now` the time (in a simulation that of the imagined clock),
    `activity` what started the run, when an activity did and is still there. `memory` is what the
    step kept when it was last parked. `idempotency_key` is the same at every attempt of this step
    of this run, and of no other.
    """

    organisation: Organisation
    contact: Contact
    activity: Activity | None
    run: Run
    data: Mapping[str, Any]
    now: datetime
    idempotency_key: str
    memory: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False
    rulebook: Rulebook = field(default_factory=Rulebook)

    @cached_property
    def subject(self) -> Subject:
        """The contact and the activity as rules see them."""
        from contacts.rules import Subject

        return Subject(self.contact, activity=self.activity, now=self.now)

    @property
    def zone(self) -> ZoneInfo:
        """The contact's time zone."""
        return ZoneInfo(self.contact.timezone or self.organisation.timezone)

    def rule(self, conditions: Any) -> Rule:
        """The rule that `conditions` says; `rule.holds(moment.subject)` answers it."""
        return self.rulebook.rule(self.organisation, conditions)

    def template_values(self) -> dict[str, Any]:
        """What a template may speak of: `contact` and `activity` as the API tells them,
        `organisation`, `workflow`, `run` (its `context` holds what earlier steps gave) and `now`.
        Three or four queries."""
        from workflows.values import template_values

        return template_values(self)


class Step:
    """A type of step. Instances hold nothing: one serves all.

    The effect of a step on our own tables is in the transaction that moves the run on: exactly
    once. One with an effect elsewhere is `external`: it runs outside any transaction, before that
    one, and may be run again after a crash; it must hand on `Moment.idempotency_key`, come to an
    end within a minute or two, and have a `simulate` of its own.
    """

    type: ClassVar[str]
    label: ClassVar[str | Promise]
    keys: ClassVar[frozenset[str]] = frozenset()
    """The keys that its JSON may have, beside `id`, `type` and `paths`."""
    paths: ClassVar[tuple[str, ...]] = ()
    """The keys that hold lists of steps, such as `then` and `else`."""
    refers: ClassVar[Mapping[str, str]] = {}
    """The keys that hold the id of a row, each with the row's model: an exported workflow says the
    row's name there."""
    hint: ClassVar[str | Promise] = ""
    """What it is good for, in a line of the list from which people choose."""
    family: ClassVar[Family] = Family.OTHER
    icon: ClassVar[str] = "bolt"
    """Of Material Symbols."""
    form: ClassVar[inputs.Form] = ()
    """What people fill in."""
    blank: ClassVar[Mapping[str, Any]] = {}
    """The keys of a new one."""
    external: ClassVar[bool] = False
    light: ClassVar[bool] = False
    """It only reads, and what it reads need not be held still: many runs take it together."""

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        """What this one does, for its card: `1 day`. Any exception is taken for "not filled in"."""
        return ""

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        """Check the step's JSON when a workflow is saved; keys that are not `keys` were refused
        already, and lists of steps are checked by themselves. Raises ValidationError with a dict
        of paths within the step, such as `{"amount": …}`."""

    def prepare(self, moments: Sequence[Moment]) -> None:
        """Read at once what several runs that are at such steps will need. For `light` steps."""

    def told(self, output: Mapping[str, Any]) -> str:
        """What it gave, in words for staff; empty when only the JSON says it. Any exception is
        taken for that: an older version may have given something else."""
        return ""

    def run(self, moment: Moment) -> Outcome:
        """Do it. Raises Retry or GiveUp; any other exception is a failed attempt too."""
        raise NotImplementedError

    def simulate(self, moment: Moment) -> Outcome:
        """What `run` would answer, without any effect outside the database: a simulation runs in a
        transaction that is rolled back."""
        if self.external:
            raise NotImplementedError(f"{self.type} has effects elsewhere and no simulate()")
        return self.run(moment)

    def explain(self, moment: Moment) -> Sequence[Finding]:
        """Why it went the way it did, right after `simulate`: what became of each condition."""
        return ()

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        """The types of activity that such a step waits for (`WaitFor`)."""
        return ()

    def without_secrets(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The step's JSON as it may leave the house with an exported workflow."""
        return data


STEPS: dict[str, Step] = {}

AnyStep = TypeVar("AnyStep", bound=type[Step])


def step(cls: AnyStep) -> AnyStep:
    """Make this a type of step."""
    STEPS[cls.type] = cls()
    return cls
