"""What there is to choose from: steps and triggers, by family."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from workflows.steps import STEPS
from workflows.steps.base import Family as StepFamily
from workflows.steps.base import Step
from workflows.triggers import TRIGGERS
from workflows.triggers.base import Family as TriggerFamily
from workflows.triggers.base import Trigger


def palette() -> dict[str, list[dict[str, Any]]]:
    """`steps` and `triggers`: each a list of families with their kinds, for the template."""
    return {
        "steps": _grouped(StepFamily, STEPS.values()),
        "triggers": _grouped(TriggerFamily, TRIGGERS.values()),
    }


def _grouped(
    families: Iterable[StepFamily | TriggerFamily], kinds: Iterable[Step | Trigger]
) -> list[dict[str, Any]]:
    kinds = list(kinds)
    return [
        {
            "label": family.value,
            "kinds": [
                {"kind": kind, "family": family.name.lower(), "blank": _blank(kind)}
                for kind in kinds
                if kind.family is family
            ],
        }
        for family in families
    ]


def _blank(kind: Step | Trigger) -> str:
    """The JSON of a new one, as text."""
    paths = kind.paths if isinstance(kind, Step) else ()
    return json.dumps({"type": kind.type, **kind.blank, **{name: [] for name in paths}})
