"""A workflow as a picture: the cards, how they hang together, and what is to be seen on them.

`draw` answers what the template `admin/workflows/canvas.html` shows as `drawing`; it is the one
renderer, for editing as for the path that a run took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from organisations.models import Organisation
from workflows import inputs
from workflows.models import StepExecution
from workflows.steps import STEPS
from workflows.steps.base import Step
from workflows.triggers import TRIGGERS
from workflows.triggers.base import Trigger
from workflows.words import REENTRY, Said, length

TRIGGER = "trigger"
BRANCHES = {"then": gettext_lazy("Yes"), "else": gettext_lazy("No")}


@dataclass(frozen=True)
class Counts:
    """How many runs came to a step, wait there now, and failed there; `links` lead to them."""

    entered: int = 0
    waiting: int = 0
    failed: int = 0
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Card:
    """The trigger or a step. `lit`: the run that is shown came here; `state` is then what became of
    it: `completed`, `waiting`, `retrying` or `failed`."""

    path: str
    id: str
    type: str
    label: str
    icon: str
    family: str
    summary: str = ""
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    counts: Counts | None = None
    execution: StepExecution | None = None
    lit: bool = False
    branches: list[Branch] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.execution.status if self.execution is not None else ""

    @property
    def passed(self) -> bool:
        """Whether the run went on from here, through one of its branches where it has any."""
        through = not self.branches or any(branch.passed for branch in self.branches)
        return self.state == StepExecution.Status.COMPLETED and through

    @property
    def state_label(self) -> str:
        return self.execution.get_status_display() if self.execution is not None else ""


@dataclass
class Branch:
    """A list of steps with a name: `then`, shown as "Yes"."""

    path: str
    label: str
    cards: list[Card]
    lit: bool = False

    @property
    def ends(self) -> bool:
        """Whether nothing that comes after it is reached from here."""
        return bool(self.cards) and self.cards[-1].type == "exit"

    @property
    def passed(self) -> bool:
        """Whether the run came out at the end."""
        return self.lit and not self.ends and (not self.cards or self.cards[-1].passed)


@dataclass
class Drawing:
    """A whole workflow. `errors` are those that belong to no card."""

    trigger: Card
    steps: Branch
    errors: list[str]
    lit: bool = False

    def cards(self) -> Iterator[Card]:
        """Every card, those of branches after the one that has them."""
        yield self.trigger
        yield from _within(self.steps)


def _within(branch: Branch) -> Iterator[Card]:
    for card in branch.cards:
        yield card
        for inner in card.branches:
            yield from _within(inner)


def draw(
    trigger: Any,
    steps: Any,
    *,
    organisation: Organisation,
    counts: Mapping[str, Counts] | None = None,
    executions: Iterable[StepExecution] = (),
    errors: Mapping[str, Sequence[str]] | None = None,
) -> Drawing:
    """The drawing of a trigger and steps, which may be a draft that says anything.

    `counts` are by the ids of steps; `executions` a run's, whose path is lit; `errors` messages by
    path, as `workflows.cleaning` names them. A query each for custom fields, segments and
    workflows that are named.
    """
    drawn = {one.step_id: one for one in executions}
    artist = _Artist(Said(organisation), counts or {}, drawn, dict(errors or {}))
    first = artist.trigger(trigger if isinstance(trigger, Mapping) else {})
    branch = artist.branch("steps", "", steps)
    branch.lit = bool(drawn)
    left = [line for lines in artist.errors.values() for line in lines]
    return Drawing(first, branch, left, lit=bool(drawn))


class _Artist:
    def __init__(
        self,
        said: Said,
        counts: Mapping[str, Counts],
        executions: Mapping[str, StepExecution],
        errors: dict[str, Sequence[str]],
    ) -> None:
        self.said = said
        self.counts = counts
        self.executions = executions
        self.errors = errors

    def trigger(self, data: Mapping[str, Any]) -> Card:
        kind = TRIGGERS.get(str(data.get("type")))
        card = Card(
            path=TRIGGER,
            id="",
            type=kind.type if kind is not None else "",
            label=str(kind.label) if kind is not None else _("Choose what starts it"),
            icon=kind.icon if kind is not None else "add_circle",
            family=TRIGGER,
            errors=self._errors_at(TRIGGER, kind),
            lit=bool(self.executions),
        )
        if kind is not None:
            card.summary = self._summary(kind, data)
            card.notes = list(self._trigger_notes(data))
        return card

    def branch(self, path: str, label: str | Promise, steps: Any) -> Branch:
        steps = steps if isinstance(steps, list) else []
        cards = [self._card(f"{path}.{index}", data) for index, data in enumerate(steps)]
        return Branch(path, str(label), cards, lit=any(card.lit for card in cards))

    def _card(self, path: str, data: Any) -> Card:
        data = data if isinstance(data, Mapping) else {}
        kind = STEPS.get(str(data.get("type")))
        step_id = str(data.get("id") or "")
        execution = self.executions.get(step_id)
        card = Card(
            path=path,
            id=step_id,
            type=str(data.get("type") or ""),
            label=str(kind.label) if kind is not None else _("Unknown step"),
            icon=kind.icon if kind is not None else "help",
            family=kind.family.name.lower() if kind is not None else "",
            counts=self.counts.get(step_id),
            execution=execution,
            lit=execution is not None,
        )
        if kind is not None:
            card.summary = self._summary(kind, data)
            for name in kind.paths:
                branch = self.branch(f"{path}.{name}", BRANCHES.get(name, name), data.get(name))
                branch.lit |= execution is not None and execution.output.get("path") == name
                card.branches.append(branch)
        card.errors = self._errors_at(path, kind)  # after its branches took theirs
        return card

    def _summary(self, kind: Step | Trigger, data: Mapping[str, Any]) -> str:
        try:
            return kind.summary(data, self.said)
        except Exception:  # a draft may say anything; what is wrong is told by its errors
            return ""

    def _trigger_notes(self, data: Mapping[str, Any]) -> Iterator[str]:
        conditions, reentry = data.get("conditions"), data.get("reentry")
        try:
            if conditions and conditions != {"all": []}:
                yield _("Only if %(rule)s") % {"rule": self.said.rule(conditions)}
            if reentry and reentry["policy"] != "every_time":
                policy = str(REENTRY[reentry["policy"]])
                span = length(reentry["duration"]) if reentry.get("duration") else ""
                yield _("Enters %(policy)s") % {"policy": f"{policy} {span}".strip()}
        except Exception:  # as above
            return

    def _errors_at(self, path: str, kind: Step | Trigger | None) -> list[str]:
        """What is wrong at this path and below, taken out of `errors`: each is told once."""
        labels = _labels(kind)
        found: list[str] = []
        for key in [key for key in self.errors if key == path or key.startswith(f"{path}.")]:
            head = key.removeprefix(path).removeprefix(".").partition(".")[0]
            label = labels.get(head, head)
            found += [f"{label}: {line}" if label else line for line in self.errors.pop(key)]
        return found


def _labels(kind: Step | Trigger | None) -> dict[str, str]:
    """What the keys of such a part are called."""
    told = {"conditions": _("Conditions"), "reentry": _("Re-entry"), "type": _("Type")}
    form = inputs.flat(kind.form) if kind is not None else []
    return told | {key: str(one.label) for one in form for key in one.keys}
