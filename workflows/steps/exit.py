"""Ends the run."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from workflows.steps.base import Exit, Family, Moment, Outcome, Step, step


@step
class ExitStep(Step):
    """Takes no keys."""

    type = "exit"
    label = gettext_lazy("End")
    hint = gettext_lazy("The run ends here, whatever comes below.")
    family = Family.FLOW
    icon = "stop_circle"
    light = True

    def run(self, moment: Moment) -> Outcome:
        return Exit()
