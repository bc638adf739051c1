"""Texts within a step's JSON that may be templates: `{{ activity.booking.roomType }}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from workflows import checks
from workflows.messages import templates
from workflows.messages.templates import TooMuch
from workflows.steps.base import CleanContext, GiveUp, Moment
from workflows.values import as_json


def is_template(value: Any) -> bool:
    """Whether a value says something that has to be rendered."""
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def check(values: Any, context: CleanContext) -> None:
    """See that every template within can be rendered. Raises ValidationError with a dict of
    paths."""
    errors = checks.Errors()
    for path, text in _templates(values, ""):
        with errors.at(path):
            templates.check(
                text, about=context.about, organisation=context.organisation, html=False
            )
    errors.raise_if_any()


def without_templates(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are known when a workflow is saved."""
    return {
        key: without_templates(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if not any(_templates(value, "")) or isinstance(value, dict)
    }


def render(values: Mapping[str, Any], moment: Moment) -> dict[str, Any]:
    """The values with their templates rendered. Raises GiveUp where that takes too much."""
    if not any(_templates(values, "")):
        return dict(values)
    known = as_json(moment.template_values())

    def rendered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rendered(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [rendered(inner) for inner in value]
        return templates.render(value, known, html=False) if is_template(value) else value

    try:
        found: dict[str, Any] = rendered(values)
    except TooMuch as error:
        raise GiveUp(_("This would take too much: %(what)s.") % {"what": error}) from None
    return found


def _templates(value: Any, path: str) -> Any:
    if is_template(value):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _templates(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _templates(inner, f"{path}[{index}]")
