"""Ends the run."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from workflows.steps.base import Exit, Moment, Outcome, Step, step


@step
class ExitStep(Step):
    """Takes no keys."""

    type = "exit"
    label = gettext_lazy("End")
    light = True

    def run(self, moment: Moment) -> Outcome:
        return Exit()
