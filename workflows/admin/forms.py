"""The form of a step or a trigger in the canvas' side panel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from crm.admin.forms import ServiceForm
from workflows import inputs, reentry
from workflows.admin.controls import Control, control
from workflows.steps.base import CleanContext, Step
from workflows.triggers.base import Trigger

COMMON: inputs.Form = (
    inputs.Rule(
        "conditions", gettext_lazy("Only if"), help=gettext_lazy("Whoever does not fit, stays out.")
    ),
    inputs.Reentry(
        "reentry",
        gettext_lazy("Who may enter again"),
        help=gettext_lazy("Counted for each contact, or for each value that you name."),
    ),
)
"""What every trigger has, after its own."""
IDENTITY: inputs.Form = (
    inputs.Text(
        "id",
        gettext_lazy("Id"),
        longest=60,
        help=gettext_lazy("By this name later steps find what this one gave: run.context."),
    ),
)
"""What every step has, after its own."""
PARTS = ("trigger", "steps")


class PartForm(forms.Form):
    """The form of one part: `data` is its JSON now, `json()` what it becomes.

    Of what was not touched the JSON stays as it is, to the letter. The form only reads what was
    typed; what is right, `refuse` is told by `workflows.cleaning`.
    """

    use_required_attribute = False

    def __init__(
        self,
        kind: Step | Trigger,
        data: Mapping[str, Any],
        context: CleanContext,
        posted: Any = None,
    ) -> None:
        self.kind = kind
        self.part = data
        self.form: inputs.Form = (*kind.form, *(IDENTITY if isinstance(kind, Step) else COMMON))
        self.ways = [one for one in self.form if isinstance(one, inputs.Way)]
        self.controls: dict[str, Control] = {
            one.key: control(one, context, data) for one in inputs.flat(self.form)
        }
        initial = {key: one.show(data) for key, one in self.controls.items()}
        super().__init__(data=posted, initial=initial, prefix="part")
        for one in inputs.flat(self.form):
            field = self.controls[one.key].field
            field.label, field.help_text = str(one.label), str(one.help)
            field.required = one.required
            self.fields[one.key] = field
        for way in self.ways:
            if way is not self.way:
                for one in way.inputs:
                    self.fields[one.key].required = False

    @property
    def way_name(self) -> str:
        """The name of the input that says which way is taken."""
        return self.add_prefix("way")

    @property
    def way(self) -> inputs.Way | None:
        """The way that is taken: as was chosen, else the first that the JSON has a key of."""
        if not self.ways:
            return None
        chosen = str(self.data.get(self.way_name, "")) if self.is_bound else ""
        if chosen.isdecimal() and int(chosen) < len(self.ways):
            return self.ways[int(chosen)]
        taken = (way for way in self.ways if any(one.key in self.part for one in way.inputs))
        return next(taken, self.ways[0])

    def sections(self) -> Iterator[dict[str, Any]]:
        """The fields in their order, those of a way together: for the template."""
        for part in self.form:
            if isinstance(part, inputs.Way):
                yield {
                    "way": part,
                    "index": self.ways.index(part),
                    "taken": part is self.way,
                    "fields": [self[one.key] for one in part.inputs],
                }
            else:
                yield {"way": None, "fields": [self[part.key]]}

    def json(self) -> dict[str, Any]:
        """The part's JSON with what was changed and could be read."""
        told = dict(self.part)
        readable = set(self.changed_data) - set(self.errors)
        for one in inputs.flat(self.form):
            if one.key not in readable:
                continue
            for key in one.keys:
                told.pop(key, None)
            found = self.controls[one.key].tell(self.cleaned_data[one.key])
            told |= {key: value for key, value in found.items() if value is not None}
        for way in self.ways:
            if way is not self.way:
                for one in way.inputs:
                    told.pop(one.key, None)
        return told

    def refuse(self, errors: Mapping[str, Sequence[str]]) -> None:
        """Show what is wrong, by path within the part, beside its field; of one that could not be
        read, that is known already."""
        unread = set(self.errors)
        fields = {key: one.key for one in inputs.flat(self.form) for key in one.keys}
        for path, lines in errors.items():
            head, _dot, place = path.partition(".")
            field = fields.get(head)
            if field in unread:
                continue
            if field is None:
                head, place = "", path
            for line in lines:
                message = f"{place}: {line}" if place and field != "reentry" else line
                self.add_error(field, ValidationError(message))


class WorkflowForm(ServiceForm):
    """Name and description; trigger and steps as JSON, which the canvas writes."""

    trigger = forms.JSONField(
        label=gettext_lazy("Trigger"), widget=forms.Textarea(attrs={"rows": 8})
    )
    steps = forms.JSONField(label=gettext_lazy("Steps"), widget=forms.Textarea(attrs={"rows": 20}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        workflow = kwargs.get("instance")
        if workflow is not None and workflow.pk:
            version = reentry.current_version(workflow)
            found = {"trigger": version.trigger, "steps": version.steps}
        else:
            found = {"trigger": {}, "steps": []}
        kwargs["initial"] = {**found, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def field_of(self, path: str) -> str | None:
        """Errors of the parts are in the drawing."""
        head = path.partition(".")[0]
        return head if head in self.fields else None

    def draft(self) -> dict[str, Any]:
        """Trigger and steps as they are now in the form, whatever they say."""
        return {name: self._now(name) for name in PARTS}

    def _now(self, name: str) -> Any:
        if not self.is_bound:
            return self.initial[name]
        try:
            return self.fields[name].clean(self[name].data)
        except ValidationError:
            return None

    @property
    def refused_parts(self) -> dict[str, list[str]]:
        """What the service said of the parts, by path."""
        told = self.refused.by_path if self.refused is not None else {}
        return {path: lines for path, lines in told.items() if self.field_of(path) in PARTS}
