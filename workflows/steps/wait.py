"""Waits: for a while, until a time of day, or until a date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflows import checks, dates, inputs
from workflows.steps.base import CleanContext, Done, Family, Moment, Outcome, Step, Wait, step
from workflows.words import Said, length, near, when


@step
class WaitStep(Step):
    """`{"duration": "P1D"}`, `{"until": "09:00"}`, both (a day, and then until nine), or
    `{"field": "activity.booking.checkIn", "offset": "-P1D", "at": "09:00"}`.

    Times of day and days are the contact's own. A date that has passed, or that is not set, is not
    waited for.
    """

    type = "wait"
    label = gettext_lazy("Wait")
    keys = frozenset({"duration", "until", "field", "offset", "at"})
    hint = gettext_lazy("For a while, until a time of day, or until a date.")
    family = Family.FLOW
    icon = "hourglass_top"
    form = (
        inputs.Way(
            gettext_lazy("For a while"),
            (
                inputs.Length("duration", gettext_lazy("For")),
                inputs.Clock(
                    "until",
                    gettext_lazy("Then until"),
                    help=gettext_lazy("A time of the contact's day."),
                ),
            ),
        ),
        inputs.Way(
            gettext_lazy("Until a date"),
            (
                inputs.DateField("field", gettext_lazy("Date"), required=True),
                inputs.Offset("offset", gettext_lazy("Before or after it")),
                inputs.Clock("at", gettext_lazy("At")),
            ),
        ),
    )
    blank = {"duration": "P1D"}
    light = True

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        if data.get("field"):
            return _("Until %(date)s") % {"date": near(data)}
        told = length(data["duration"]) if data.get("duration") else ""
        if data.get("until"):
            until = _("until %(clock)s") % {"clock": data["until"]}
            told = (
                _("%(length)s, then %(until)s") % {"length": told, "until": until}
                if told
                else (until.capitalize())
            )
        return told

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        given = {key for key in self.keys if data.get(key) is not None}
        by_date = given & {"field", "offset", "at"}
        if not given:
            errors["duration"] = checks.error(
                _("Say how long: a duration, until a time of day, or a field that is a date."),
                "required",
            )
        elif by_date and given - by_date:
            errors[sorted(by_date)[0]] = checks.error(
                _("Wait either for a duration and a time of day, or for a date.")
            )
        elif by_date and "field" not in given:
            errors["field"] = checks.required()
        readers: dict[str, Callable[[Any], Any]] = {
            "duration": checks.duration,
            "until": checks.clock,
            "at": checks.clock,
            "offset": checks.offset,
            "field": lambda name: dates.field(name, context.organisation, context.about),
        }
        for key in sorted(given):
            with errors.at(key):
                readers[key](data[key])
        errors.raise_if_any()

    def told(self, output: Mapping[str, Any]) -> str:
        if "skipped" in output:
            return _("Not waited for: %(reason)s") % {"reason": output["skipped"]}
        return _("Until %(moment)s.") % {"moment": when(output["until"])}

    def run(self, moment: Moment) -> Outcome:
        if "until" in moment.memory:
            until = datetime.fromisoformat(moment.memory["until"])
        else:
            found = self._until(moment)
            if found is None:
                return Done({"skipped": _("There is no such date.")})
            until = found
        told = {"until": until.isoformat(timespec="seconds")}
        if until <= moment.now:
            return Done(told)
        return Wait(until, {"until": until.isoformat()})

    def _until(self, moment: Moment) -> datetime | None:
        data = moment.data
        if data.get("field") is not None:
            field = dates.field(data["field"], moment.organisation, ("contact", "activity"))
            value = field.read(moment.contact, moment.activity)
            if value is None:
                return None
            at = checks.clock(data["at"]) if data.get("at") is not None else None
            return dates.moment_of(value, checks.offset(data.get("offset")), at, moment.zone)
        until = moment.now
        if data.get("duration") is not None:
            until = checks.duration(data["duration"]).after(until, moment.zone)
        if data.get("until") is not None:
            until = dates.next_clock(until, checks.clock(data["until"]), moment.zone)
        return until
