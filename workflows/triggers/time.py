"""What time alone brings about. `workflows.sweeps` looks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.querysets import ContactQuerySet
from contacts.rules.durations import Duration
from workflows import checks, dates, events, inputs
from workflows.steps.base import CleanContext
from workflows.triggers.base import Family, Trigger, trigger
from workflows.words import Said, length, near

REPEATS = ("yearly", "once")


@trigger
class DateAnniversary(Trigger):
    """`{"field": "contact.dob", "offset": "-P3D", "repeat": "yearly", "at": "09:00"}`: on the day
    itself or so long before or after it, each year or in the very year only, at that time of day
    (nine without) on the contact's clock."""

    type = "date_anniversary"
    label = gettext_lazy("A date comes round")
    event = events.DATE_ANNIVERSARY
    momentary = True
    keys = frozenset({"field", "offset", "repeat", "at"})
    hint = gettext_lazy("A birthday, or another date that the contact has.")
    family = Family.TIME
    icon = "cake"
    form = (
        inputs.DateField("field", gettext_lazy("Date"), required=True, recurring=True),
        inputs.Offset("offset", gettext_lazy("Before or after it")),
        inputs.Choice(
            "repeat",
            gettext_lazy("How often"),
            options=[("", gettext_lazy("Every year")), ("once", gettext_lazy("Once"))],
        ),
        inputs.Clock(
            "at", gettext_lazy("At"), help=gettext_lazy("Of the contact's day; 09:00 without.")
        ),
    )
    blank = {"field": "contact.dob"}

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return near(data).capitalize()

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        with errors.at("field"):
            found = dates.field(data.get("field"), context.organisation, ("contact",))
            if found.name not in dates.RECURRING and not found.name.startswith(dates.CUSTOM):
                raise checks.error(_("%(name)s is no date that comes round."), name=found.name)
        with errors.at("offset"):
            _sign, length = checks.offset(data.get("offset"))
            if not length.whole_days:
                raise checks.error(_("The offset is of whole days; `at` says the time of day."))
            if length.months >= 12 or length.days > 300:
                raise checks.error(_("The offset is of less than 300 days."), "too_long")
        if data.get("repeat") is not None:
            with errors.at("repeat"):
                checks.choice(data["repeat"], REPEATS)
        if data.get("at") is not None:
            with errors.at("at"):
                checks.clock(data["at"])
        errors.raise_if_any()

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return []


@trigger
class Inactivity(Trigger):
    """`{"duration": "P90D"}`: no interaction for so long, once for each such time. A contact who
    never had one has been still since it was created."""

    type = "inactivity"
    label = gettext_lazy("A contact is not seen for a while")
    event = events.INACTIVITY
    keys = frozenset({"duration"})
    hint = gettext_lazy("No activity for so long.")
    family = Family.TIME
    icon = "bedtime"
    form = (inputs.Length("duration", gettext_lazy("For"), required=True),)
    blank = {"duration": "P90D"}

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return length(data["duration"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        with errors.at("duration"):
            checks.duration(data.get("duration"))
        errors.raise_if_any()

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return []

    def existing(
        self, data: Mapping[str, Any], contacts: ContactQuerySet, now: datetime
    ) -> ContactQuerySet | None:
        since = earliest(checks.duration(data["duration"]), now)
        still = Q(rollup__last_interacted_at__lte=since)
        never = Q(rollup__last_interacted_at=None, created_at__lte=since)
        return contacts.filter(still | never)


def earliest(length: Duration, now: datetime) -> datetime:
    """The moment `length` before `now`. Contacts' zones differ by less than inactivity cares."""
    return length.before(now, ZoneInfo("UTC"))
