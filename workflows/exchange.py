"""A workflow as a document that another organisation, or another Regulars, can take in.

What an organisation calls its own is named in it: segments and workflows by their names, tags and
custom fields by theirs as everywhere. Its own types of activity come along. See docs/workflows.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from activities import services as activities
from activities.models import ActivityType
from contacts.rules.parsing import GROUPS
from contacts.segments import rules as segments
from organisations.models import Organisation
from workflows import checks, reentry, services
from workflows.models import Workflow
from workflows.steps import STEPS
from workflows.triggers import TRIGGERS

FORMAT = "regulars.workflow"
VERSION = 1
LARGEST = 1024 * 1024
"""Bytes of a document."""
KEYS = frozenset({"format", "version", "name", "description", "activityTypes", "trigger", "steps"})
MOST_TYPES = 100


def export(workflow: Workflow) -> dict[str, Any]:
    """The workflow as a document, in its current version.

    Passwords stay here: headers of calls to other systems come without their values. Raises
    ValidationError by path where the workflow speaks of what is no longer there.
    """
    version = reentry.current_version(workflow)
    trigger, steps = orjson.loads(orjson.dumps([version.trigger, version.steps]))  # a copy
    steps = _without_secrets(steps)
    _name(workflow.organisation, _references(trigger, steps))
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": workflow.name,
        "description": workflow.description,
        "activityTypes": _own_types(workflow.organisation, _types_named([trigger, steps])),
        "trigger": trigger,
        "steps": steps,
    }


def parse(text: bytes | str) -> dict[str, Any]:
    """The document in a file. Raises ValidationError for what is none."""
    if len(text) > LARGEST:
        raise checks.error(_("A workflow is of 1 MB at most."), "too_large")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise checks.error(_("This is no JSON: %(why)s."), "invalid_json", why=error) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise checks.error(_("This is no exported workflow."), "invalid_format")
    if document.get("version") != VERSION:
        raise checks.error(
            _("This was exported by another version of Regulars, which this one cannot read."),
            "invalid_version",
        )
    return document


@transaction.atomic
def bring_in(*, organisation: Organisation, text: bytes | str) -> Workflow:
    """A Draft that is what the document says; types of activity that it brings along are made
    where they are new.

    Raises ValidationError, by path with all that is wrong: the name of a segment, workflow or
    custom field that is not there, and whatever else cannot be saved.
    """
    document = parse(text)
    trigger, steps = document.get("trigger"), document.get("steps")
    errors = checks.Errors()
    checks.unknown_keys(document, KEYS, errors)
    _make_types(organisation, document.get("activityTypes"), errors)
    _find(organisation, _references(trigger, steps), errors)
    try:
        workflow = services.create(
            organisation=organisation,
            name=document.get("name"),
            description=document.get("description"),
            trigger=trigger,
            steps=steps,
        )
    except ValidationError as error:
        # What is no name of ours is no id either: the first says more.
        errors.update({path: e for path, e in error.error_dict.items() if path not in errors})
    errors.raise_if_any()
    return workflow


# What it speaks of


@dataclass(frozen=True)
class _Reference:
    """A place that holds an id, or in a document the name, of a row of `model`."""

    path: str
    holder: Any
    key: str | int
    model: str

    @property
    def value(self) -> Any:
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        self.holder[self.key] = value


def _name(organisation: Organisation, references: Iterable[_Reference]) -> None:
    """Put names in the places of ids."""
    errors = checks.Errors()
    for reference in references:
        name = _rows(organisation, reference).filter(pk=reference.value).values_list("name")
        found = name.first()
        if found is None:
            errors[reference.path] = checks.error(
                _("%(what)s %(id)s is no longer there."),
                "does_not_exist",
                what=_kind(reference),
                id=reference.value,
            )
        else:
            reference.put(found[0])
    errors.raise_if_any()


def _find(
    organisation: Organisation, references: Iterable[_Reference], errors: checks.Errors
) -> None:
    """Put ids in the places of names."""
    for reference in references:
        with errors.at(reference.path):
            name = checks.text(reference.value)
            found = list(_rows(organisation, reference).filter(name=name).values_list("pk")[:2])
            if not found:
                raise checks.error(
                    _("There is no %(what)s of the name %(name)s."),
                    "does_not_exist",
                    what=_kind(reference).lower(),
                    name=name,
                )
            if len(found) > 1:
                raise checks.error(
                    _("More than one %(what)s has the name %(name)s."),
                    "ambiguous",
                    what=_kind(reference).lower(),
                    name=name,
                )
            reference.put(found[0][0])


def _rows(organisation: Organisation, reference: _Reference) -> Any:
    model: Any = apps.get_model(reference.model)
    return model.objects.for_organisation(organisation)


def _kind(reference: _Reference) -> str:
    return str(apps.get_model(reference.model)._meta.verbose_name).capitalize()


def _references(trigger: Any, steps: Any) -> Iterator[_Reference]:
    """Every place that names a row, whatever else is wrong with the trigger and the steps."""
    yield from _of_part("trigger", trigger, TRIGGERS)
    for path, data in _walk(steps):
        yield from _of_part(path, data, STEPS)


def _of_part(path: str, data: Any, kinds: Mapping[str, Any]) -> Iterator[_Reference]:
    kind = _kind_of(data, kinds)
    if kind is None:
        return
    for key, model in kind.refers.items():
        if data.get(key) is not None:
            yield _Reference(f"{path}.{key}", data, key, model)
    yield from _of_rule(f"{path}.conditions", data.get("conditions"))


def _of_rule(path: str, rule: Any) -> Iterator[_Reference]:
    """The segments that a rule names."""
    waiting = [(path, rule)]  # no recursion: nobody has seen yet how deep it is
    while waiting:
        path, data = waiting.pop()
        if isinstance(data, list):
            waiting += [(f"{path}.{index}", one) for index, one in enumerate(data)]
        if not isinstance(data, dict):
            continue
        waiting += [(f"{path}.{group}", data[group]) for group in GROUPS if group in data]
        if data.get("field") == segments.NAME and "value" in data:
            value, place = data["value"], f"{path}.value"
            if isinstance(value, list):
                yield from (
                    _Reference(place, value, index, "contacts.Segment")
                    for index in range(len(value))
                )
            else:
                yield _Reference(place, data, "value", "contacts.Segment")


def _walk(steps: Any) -> Iterator[tuple[str, Any]]:
    """Every step that is one, with its path."""
    waiting = [("steps", steps)]
    while waiting:
        path, data = waiting.pop()
        for index, one in enumerate(data if isinstance(data, list) else ()):
            kind, here = _kind_of(one, STEPS), f"{path}.{index}"
            if kind is not None:
                yield here, one
                waiting += [(f"{here}.{name}", one.get(name)) for name in kind.paths]


def _kind_of(data: Any, kinds: Mapping[str, Any]) -> Any:
    name = data.get("type") if isinstance(data, dict) else None
    return kinds.get(name) if isinstance(name, str) else None


def _without_secrets(steps: Any) -> Any:
    for _path, data in _walk(steps):
        data.update(STEPS[data["type"]].without_secrets(data))
    return steps


# Types of activity


def _types_named(data: Any) -> Iterator[str]:
    """The names of types that triggers, steps and the rules in them give."""
    waiting = [data]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            waiting += here
        elif isinstance(here, dict):
            waiting += here.values()
            where = here.get("where")
            named = (
                here.get("activityType"),
                here.get("activityTypes"),
                where.get("type") if isinstance(where, dict) else None,
            )
            for given in named:
                yield from [given] if isinstance(given, str) else given or ()


def _own_types(organisation: Organisation, names: Iterable[str]) -> list[dict[str, Any]]:
    types = ActivityType.objects.for_organisation(organisation).filter(name__in=set(names))
    return [
        {"name": name, "countsAsOrder": counts}
        for name, counts in types.order_by("name").values_list("name", "counts_as_order")
    ]


def _make_types(organisation: Organisation, given: Any, errors: checks.Errors) -> None:
    """Define the types that are not there yet."""
    if given is None:
        return
    if not isinstance(given, list) or len(given) > MOST_TYPES:
        errors["activityTypes"] = checks.error(
            _("Give a list of %(most)d types at most."), "not_a_list", most=MOST_TYPES
        )
        return
    known = set(ActivityType.objects.for_organisation(organisation).values_list("name", flat=True))
    for index, one in enumerate(given):
        with errors.at(f"activityTypes.{index}"):
            name = checks.text(one.get("name") if isinstance(one, dict) else one)
            if name not in known:
                activities.define_type(
                    organisation=organisation,
                    name=name,
                    counts_as_order=isinstance(one, dict) and one.get("countsAsOrder") is True,
                )
                known.add(name)
