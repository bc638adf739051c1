"""Checking a workflow when it is saved: its trigger, its steps, and all they speak of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from organisations.models import Organisation
from workflows import checks, reentry
from workflows.models import Workflow
from workflows.steps import STEPS
from workflows.steps.base import CleanContext
from workflows.triggers import TRIGGERS
from workflows.triggers.base import COMMON, Trigger

MOST_STEPS = 200
DEEPEST = 10
"""Paths within paths."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,60}")


def clean(
    trigger: Any, steps: Any, *, organisation: Organisation, workflow: Workflow | None = None
) -> tuple[dict[str, Any], list[Any]]:
    """Trigger and steps as they are kept: each step with an id.

    Raises ValidationError by path (`trigger.conditions.all.0.field`, `steps.0.then.1.amount`).
    """
    errors = checks.Errors()
    kind = _kind(trigger, errors)
    about = kind.about if kind is not None else ("contact", "activity")
    context = CleanContext(organisation, about, workflow)
    if kind is not None:
        with errors.at("trigger"):
            _clean_trigger(kind, trigger, context)
    found = _Steps(context, errors)
    cleaned = found.clean_list("steps", steps, 0)
    errors.raise_if_any()
    found.name_the_nameless(cleaned)
    return dict(trigger), cleaned


def _kind(trigger: Any, errors: checks.Errors) -> Trigger | None:
    if not isinstance(trigger, Mapping):
        errors["trigger"] = checks.error(_("Give an object with a type."), "not_an_object")
        return None
    with errors.at("trigger.type"):
        return TRIGGERS[checks.choice(trigger.get("type"), TRIGGERS)]
    return None


def _clean_trigger(kind: Trigger, data: Mapping[str, Any], context: CleanContext) -> None:
    errors = checks.Errors()
    checks.unknown_keys(data, COMMON | kind.keys, errors)
    with errors.at(""):
        kind.clean(data, context)
    if data.get("conditions") is not None:
        with errors.at("conditions"):
            checks.conditions(data["conditions"], context.organisation, kind.about)
    if data.get("reentry") is not None:
        with errors.at("reentry"):
            reentry.check(data["reentry"], context.organisation, kind.about)
    errors.raise_if_any()


class _Steps:
    """The steps of a workflow on their way through the checks."""

    def __init__(self, context: CleanContext, errors: checks.Errors) -> None:
        self._context = context
        self._errors = errors
        self._ids: set[str] = set()
        self._count = 0

    def clean_list(self, path: str, given: Any, depth: int) -> list[Any]:
        """The steps of one list, at `path`."""
        if given is None:
            given = []
        if not isinstance(given, list):
            self._errors[path] = checks.error(_("Give a list of steps."), "not_a_list")
            return []
        if depth > DEEPEST:
            self._errors[path] = checks.error(
                _("Paths may lie %(most)d deep."), "too_deep", most=DEEPEST
            )
            return []
        self._count += len(given)
        if self._count > MOST_STEPS:
            self._errors["steps"] = checks.error(
                _("At most %(most)d steps."), "too_many", most=MOST_STEPS
            )
            return []
        return [self._clean(f"{path}.{index}", one, depth) for index, one in enumerate(given)]

    def _clean(self, path: str, data: Any, depth: int) -> Any:
        errors = self._errors
        if not isinstance(data, Mapping):
            errors[path] = checks.error(_("Give an object with a type."), "not_an_object")
            return data
        self._take_id(path, data.get("id"))
        with errors.at(f"{path}.type"):
            checks.choice(data.get("type"), STEPS)
        kind = STEPS.get(data["type"]) if isinstance(data.get("type"), str) else None
        if kind is None:
            return data
        own = checks.Errors()
        checks.unknown_keys(data, {"id", "type", *kind.keys, *kind.paths}, own)
        for name, error in own.items():
            errors[f"{path}.{name}"] = error
        with errors.at(path):
            kind.clean(data, self._context)
        paths = {
            name: self.clean_list(f"{path}.{name}", data.get(name), depth + 1)
            for name in kind.paths
        }
        return {**data, **paths}

    def _take_id(self, path: str, given: Any) -> None:
        if given is None:
            return
        if not isinstance(given, str) or not _ID.fullmatch(given):
            self._errors[f"{path}.id"] = checks.error(
                _("An id is of letters, digits, - and _, 60 at most.")
            )
        elif given in self._ids:
            self._errors[f"{path}.id"] = checks.error(
                _("Another step has the id %(id)s."), "unique", id=given
            )
        else:
            self._ids.add(given)

    def name_the_nameless(self, steps: list[Any]) -> None:
        """Give each step without an id one that says what it is: `send_email`, `send_email-2`."""
        for data in steps:
            if data.get("id") is None:
                number, name = 1, data["type"]
                while name in self._ids:
                    number += 1
                    name = f"{data['type']}-{number}"
                self._ids.add(name)
                data["id"] = name
            for name in STEPS[data["type"]].paths:
                self.name_the_nameless(data[name])
