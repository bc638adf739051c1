"""The form field of each kind of input (`workflows.inputs`), and its way from JSON and back.

A new kind of input is a class there and a function here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import singledispatch
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from activities.models import ActivityType
from activities.types import BUILT_IN
from contacts.admin.rules import RuleField
from contacts.models import Tag
from contacts.rules.contact import OWN
from contacts.segments.models import Segment
from contacts.serializers import ContactSerializer
from contacts.services.tags import MANAGED
from crm import money
from crm.admin.choices import currencies
from crm.api.names import snake
from customfields.models import CustomField
from workflows import dates, inputs
from workflows.admin.widgets import (
    Checks,
    Composite,
    Labelled,
    LengthField,
    OffsetField,
    OpenChoice,
    OpenChoices,
    Suggesting,
    TemplateText,
    ValuesField,
    ValuesWidget,
    labelled,
    with_current,
)
from workflows.models import Workflow
from workflows.steps.base import CleanContext
from workflows.words import REENTRY

MOST_SUGGESTIONS = 200
NESTED = frozenset({"addresses", "permissions", "customFields"})
"""Fields of a contact that are no single value."""


@dataclass(frozen=True)
class Control:
    """A form field; what it `show`s of a part's JSON, and the keys that it `tell`s of what was
    filled in, None for those that are not to be there."""

    field: forms.Field
    show: Callable[[Mapping[str, Any]], Any]
    tell: Callable[[Any], Mapping[str, Any]]


@singledispatch
def control(one: inputs.Input, context: CleanContext, data: Mapping[str, Any]) -> Control:
    """The control of an input, for a part whose JSON is `data` now."""
    raise NotImplementedError(f"There is no control for {type(one).__name__}")


def _plain(one: inputs.Input, field: forms.Field) -> Control:
    """One key whose JSON is what the field has; nothing for an empty text."""
    return Control(field, lambda data: data.get(one.key), lambda value: {one.key: value or None})


@control.register
def _text(one: inputs.Text, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return _plain(one, forms.CharField(max_length=one.longest, widget=UnfoldAdminTextInputWidget))


@control.register
def _template(one: inputs.Template, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return _plain(one, forms.CharField(strip=False, widget=TemplateText(one.rows)))


@control.register
def _choice(one: inputs.Choice, context: CleanContext, data: Mapping[str, Any]) -> Control:
    options = one.options() if callable(one.options) else one.options
    return _plain(one, _select(one, options, data))


@control.register
def _yes_no(one: inputs.YesNo, context: CleanContext, data: Mapping[str, Any]) -> Control:
    field = forms.BooleanField(widget=UnfoldBooleanWidget)
    return _plain(one, field)


@control.register
def _length(one: inputs.Length, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return _plain(one, LengthField())


@control.register
def _offset(one: inputs.Offset, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return _plain(one, OffsetField())


@control.register
def _clock(one: inputs.Clock, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return _plain(one, forms.CharField(widget=_ClockInput()))


@control.register
def _money(one: inputs.Money, context: CleanContext, data: Mapping[str, Any]) -> Control:
    own = context.organisation.currency_code
    return Control(
        _MoneyField(own),
        lambda data: _shown_money(data.get(one.key), data.get(one.currency), own),
        lambda value: dict(zip(one.keys, value or (None, None), strict=True)),
    )


@control.register
def _tag(one: inputs.Tag, context: CleanContext, data: Mapping[str, Any]) -> Control:
    tags = Tag.objects.for_organisation(context.organisation).exclude(kind__in=MANAGED)
    names = tags.order_by("name").values_list("name", flat=True)[:MOST_SUGGESTIONS]
    return _plain(one, forms.CharField(max_length=100, widget=Suggesting(list(names))))


@control.register
def _activity_type(
    one: inputs.ActivityType, context: CleanContext, data: Mapping[str, Any]
) -> Control:
    return _plain(one, _select(one, [("", "—"), *_activity_types(context)], data))


@control.register
def _activities(
    one: inputs.ActivityTypes, context: CleanContext, data: Mapping[str, Any]
) -> Control:
    return _several(one, _activity_types(context), data)


@control.register
def _date(one: inputs.DateField, context: CleanContext, data: Mapping[str, Any]) -> Control:
    about = ("contact",) if one.recurring else context.about
    known = dates.choices(context.organisation, about, recurring=one.recurring)
    return _plain(one, _select(one, [("", "—"), *known], data))


@control.register
def _rule(one: inputs.Rule, context: CleanContext, data: Mapping[str, Any]) -> Control:
    empty: dict[str, Any] = {"all": []}
    field = RuleField(about=one.about or context.about)
    # A rule without conditions is as good as none, where there may be none.
    return Control(
        field,
        lambda data: data.get(one.key) or empty,
        lambda value: {one.key: value if one.required or value != empty else None},
    )


@control.register
def _segment(one: inputs.Segment, context: CleanContext, data: Mapping[str, Any]) -> Control:
    rows = Segment.objects.for_organisation(context.organisation).order_by("name")
    return _reference(one, rows.values_list("pk", "name"), data)


@control.register
def _workflow(one: inputs.OtherWorkflow, context: CleanContext, data: Mapping[str, Any]) -> Control:
    rows = Workflow.objects.for_organisation(context.organisation).order_by("name")
    if context.workflow is not None:
        rows = rows.exclude(pk=context.workflow.pk)
    return _reference(one, rows.values_list("pk", "name"), data)


@control.register
def _fields(one: inputs.ContactFields, context: CleanContext, data: Mapping[str, Any]) -> Control:
    known = [*_contact_fields(), *_custom_fields(context)]
    return _several(one, known, data)


@control.register
def _values(one: inputs.ContactValues, context: CleanContext, data: Mapping[str, Any]) -> Control:
    given = data.get(one.key)
    before = _flattened(given) if isinstance(given, Mapping) else {}
    own = [pair for pair in _contact_fields() if pair[0] not in NESTED]
    groups = [(_("Contact"), own), (_("Custom fields"), _custom_fields(context))]
    return Control(
        ValuesField(widget=ValuesWidget(groups)),
        lambda data: [(name, _shown(value)) for name, value in before.items()],
        lambda rows: {one.key: _nested(rows, before) or None},
    )


@control.register
def _lines(one: inputs.Lines, context: CleanContext, data: Mapping[str, Any]) -> Control:
    field = forms.CharField(widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))
    return Control(
        field,
        lambda data: "\n".join(_listed(data.get(one.key))),
        lambda value: {
            one.key: [line.strip() for line in value.splitlines() if line.strip()] or None
        },
    )


@control.register
def _object(one: inputs.Object, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return _plain(one, _ObjectField(widget=UnfoldAdminTextareaWidget(attrs=_CODE)))


@control.register
def _quiet(one: inputs.QuietHours, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return Control(
        _QuietField(),
        lambda data: _shown_quiet(data.get(one.key)),
        lambda value: {one.key: value},
    )


@control.register
def _reentry(one: inputs.Reentry, context: CleanContext, data: Mapping[str, Any]) -> Control:
    return Control(
        _ReentryField("activity" in context.about),
        lambda data: _shown_reentry(data.get(one.key)),
        lambda value: {one.key: value},
    )


# Choices


def _select(one: inputs.Input, choices: Labelled, data: Mapping[str, Any]) -> OpenChoice:
    """A choice that keeps what is set now, whatever it is."""
    current = data.get(one.key)
    shown = with_current(choices, {str(current): str(current)} if current else {})
    return OpenChoice(choices=shown, widget=UnfoldAdminSelectWidget)


def _several(one: inputs.Input, choices: Labelled, data: Mapping[str, Any]) -> Control:
    current = _listed(data.get(one.key))
    shown = with_current(choices, {name: name for name in current})
    return Control(
        OpenChoices(choices=shown, widget=Checks),
        lambda data: current,
        lambda value: {one.key: value or None},
    )


def _reference(
    one: inputs.Input, rows: Iterable[tuple[int, str]], data: Mapping[str, Any]
) -> Control:
    choices = [("", "—"), *((str(pk), name) for pk, name in rows)]
    return Control(
        _select(one, choices, data),
        lambda data: data.get(one.key),
        lambda value: {one.key: int(value) if value.isdecimal() else value or None},
    )


def _activity_types(context: CleanContext) -> Labelled:
    own = ActivityType.objects.for_organisation(context.organisation).order_by("name")
    return [(name, name) for name in (*BUILT_IN, *own.values_list("name", flat=True))]


def _contact_fields() -> list[tuple[str, str | Promise]]:
    """The contact's own fields that can be written, with the labels that rules give them."""
    names = [name for name, field in ContactSerializer().fields.items() if not field.read_only]
    return [(name, _label(name)) for name in names if name != "customFields"]


def _label(name: str) -> str | Promise:
    field = OWN.by_name.get(f"contact.{name}")
    return field.label if field is not None else capfirst(snake(name).replace("_", " "))


def _custom_fields(context: CleanContext) -> list[tuple[str, str | Promise]]:
    rows = CustomField.objects.for_organisation(context.organisation).order_by("label")
    return [(f"customFields.{name}", label) for name, label in rows.values_list("name", "label")]


# From JSON and back

_CODE = {"rows": 6, "spellcheck": "false", "class": "wf-code"}


def _listed(given: Any) -> list[str]:
    if isinstance(given, str):
        return [given] if given else []
    return [str(one) for one in given] if isinstance(given, list) else []


def _flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"customFields": {"vip": true}}` → `{"customFields.vip": true}`."""
    custom = values.get("customFields")
    if not isinstance(custom, Mapping):
        return dict(values)
    rest = {name: value for name, value in values.items() if name != "customFields"}
    return rest | {f"customFields.{name}": value for name, value in custom.items()}


def _nested(rows: Sequence[tuple[str, str]], before: Mapping[str, Any]) -> dict[str, Any]:
    """The values of these rows. One whose text was not touched stays what it was."""
    told: dict[str, Any] = {}
    for name, text in rows:
        untouched = name in before and _shown(before[name]) == text
        value = before[name] if untouched else _read(text)
        head, _dot, rest = name.partition(".")
        if rest:
            told.setdefault(head, {})[rest] = value
        else:
            told[head] = value
    return told


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(text: str) -> Any:
    """A text as it was typed; a list or an object where it is one; nothing where it is empty."""
    if text.lstrip()[:1] in ("[", "{") and not text.lstrip().startswith(("{{", "{%")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text or None


def _shown_money(amount: Any, code: Any, own: str) -> list[Any]:
    if type(amount) is not int:
        return [amount, code or ""]
    return [money.to_major(amount, str(code or own)), code or ""]


def _shown_quiet(given: Any) -> list[Any]:
    if isinstance(given, Mapping):
        return ["own", given.get("from"), given.get("to")]
    return ["none" if given is False else "", None, None]


def _shown_reentry(given: Any) -> list[Any]:
    given = given if isinstance(given, Mapping) else {}
    return [given.get("policy") or "every_time", given.get("duration"), given.get("key")]


# Fields


class _ClockInput(UnfoldAdminTextInputWidget):
    input_type = "time"


class _ObjectField(forms.JSONField):
    """A JSON object, None for nothing."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


class _MoneyField(Composite):
    """An amount as people write it, in a currency or the organisation's: the smallest unit and the
    code, None for what is not said."""

    def __init__(self, own: str) -> None:
        self.own = own
        choices = [("", _("%(currency)s, yours") % {"currency": own}), *currencies()]
        super().__init__(
            forms.DecimalField(
                max_digits=18,
                widget=UnfoldAdminDecimalFieldWidget(labelled(_("Amount"), step="any")),
            ),
            forms.ChoiceField(
                choices=choices,
                widget=UnfoldAdminSelectWidget(labelled(_("Currency")), choices=choices),
            ),
        )

    def compress(self, values: Sequence[Any]) -> tuple[int | None, str | None]:
        amount, code = values or (None, "")
        if not isinstance(amount, Decimal):
            return None, code or None
        try:
            return money.to_minor(amount, code or self.own), code or None
        except ValueError as error:
            raise ValidationError(str(error), code="invalid") from None


class _QuietField(Composite):
    """False, an object, or None."""

    def __init__(self) -> None:
        choices = (
            ("", _("As for all messages")),
            ("none", _("None: send at any time")),
            ("own", _("From … to …")),
        )
        super().__init__(
            forms.ChoiceField(
                choices=choices,
                widget=UnfoldAdminSelectWidget(labelled(_("Which")), choices=choices),
            ),
            forms.CharField(widget=_ClockInput(labelled(_("From")))),
            forms.CharField(widget=_ClockInput(labelled(_("To")))),
        )

    def compress(self, values: Sequence[Any]) -> Any:
        which, start, end = values or ("", "", "")
        if which == "own":
            return {"from": start or "", "to": end or ""}
        return False if which == "none" else None


class _ReentryField(Composite):
    """A policy, or None for the usual one."""

    def __init__(self, by_activity: bool) -> None:
        choices = [(policy, str(label).capitalize()) for policy, label in REENTRY.items()]
        suggestions = (
            ["activity.booking.id", "activity.purchase"] if by_activity else ["contact.id"]
        )
        super().__init__(
            forms.ChoiceField(
                choices=choices,
                widget=UnfoldAdminSelectWidget(labelled(_("Policy")), choices=choices),
            ),
            LengthField(),
            forms.CharField(
                widget=Suggesting(
                    suggestions,
                    labelled(_("Counted for each"), placeholder=_("counted for each …")),
                )
            ),
        )

    def compress(self, values: Sequence[Any]) -> dict[str, Any] | None:
        policy, duration, key = values or ("", None, "")
        told = {"policy": policy or "every_time"}
        if duration and policy == "once_per":
            told["duration"] = duration
        if key:
            told["key"] = key
        return told if told != {"policy": "every_time"} else None
