"""Goes one of two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.rules import Finding
from contacts.rules.subjects import gather
from workflows import checks, inputs
from workflows.rulebook import EVERYONE
from workflows.steps.base import Branch, CleanContext, Family, Moment, Outcome, Step, step
from workflows.words import Said


@step
class Condition(Step):
    """`{"conditions": {"all": […]}, "then": […], "else": […]}`."""

    type = "condition"
    label = gettext_lazy("Condition")
    keys = frozenset({"conditions"})
    paths = ("then", "else")
    hint = gettext_lazy("Goes one way when the contact fits, and another when not.")
    family = Family.FLOW
    icon = "call_split"
    form = (inputs.Rule("conditions", gettext_lazy("If"), required=True),)
    blank = {"conditions": EVERYONE}
    light = True

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return said.rule(data["conditions"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        if data.get("conditions") is None:
            errors["conditions"] = checks.required()
        else:
            with errors.at("conditions"):
                checks.conditions(data["conditions"], context.organisation, context.about)
        errors.raise_if_any()

    def prepare(self, moments: Sequence[Moment]) -> None:
        for moment in moments:
            moment.subject.expect(moment.rule(moment.data["conditions"]).needs)
        gather(moment.subject for moment in moments)

    def told(self, output: Mapping[str, Any]) -> str:
        return _("Yes.") if output["path"] == "then" else _("No.")

    def run(self, moment: Moment) -> Outcome:
        held = moment.rule(moment.data["conditions"]).holds(moment.subject)
        path = "then" if held else "else"
        return Branch(path, {"path": path})

    def explain(self, moment: Moment) -> Sequence[Finding]:
        return moment.rule(moment.data["conditions"]).explain(moment.subject)
