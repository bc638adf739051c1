"""What steps and triggers say of themselves on their cards: the names and words they need."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.rules import words
from contacts.segments.models import Segment
from crm import money
from organisations.models import Organisation
from workflows import dates
from workflows.models import Workflow
from workflows.rulebook import Rulebook

REENTRY = {
    "every_time": gettext_lazy("every time"),
    "once": gettext_lazy("once for each contact"),
    "once_per": gettext_lazy("at most once in"),
    "one_at_a_time": gettext_lazy("one run at a time"),
}


class Said:
    """For one drawing: names are looked up when they are needed, once for all cards."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.rulebook = Rulebook()

    def rule(self, conditions: Any) -> str:
        """The conditions in words. Raises ValidationError for what is no rule."""
        return words.rule(self.rulebook.rule(self.organisation, conditions))

    def money(self, data: Mapping[str, Any], key: str) -> str:
        """The amount of this key: `£5.00`."""
        return money.show(data[key], data.get("currencyCode") or self.organisation.currency_code)

    def segment(self, pk: Any) -> str:
        """A segment's name."""
        return self._segments.get(pk, f"#{pk}")

    def workflow(self, pk: Any) -> str:
        """A workflow's name."""
        return self._workflows.get(pk, f"#{pk}")

    @cached_property
    def _segments(self) -> dict[int, str]:
        rows = Segment.objects.for_organisation(self.organisation)
        return dict(rows.values_list("pk", "name"))

    @cached_property
    def _workflows(self) -> dict[int, str]:
        rows = Workflow.objects.for_organisation(self.organisation)
        return dict(rows.values_list("pk", "name"))


def length(written: Any) -> str:
    """`P1D`: 1 day."""
    return words.duration(written)


def several(given: Any) -> str:
    """A list of names, or one name."""
    return words.several([given] if isinstance(given, str) else list(given or ()))


def date(name: str) -> str:
    """A date field: `check-in`; a custom field by its own name."""
    full = name if name.partition(".")[0] in ("contact", "activity") else f"contact.{name}"
    return str(dates.FIELDS[full].label) if full in dates.FIELDS else full.rpartition(".")[2]


def near(data: Mapping[str, Any]) -> str:
    """`2 days before check-in at 09:00`, of `field`, `offset` and `at`."""
    day = date(data["field"])
    offset = data.get("offset")
    if offset:
        said = (
            _("%(length)s before %(day)s")
            if offset.startswith("-")
            else _("%(length)s after %(day)s")
        )
        day = said % {"length": length(offset.lstrip("+-")), "day": day}
    return _("%(day)s at %(clock)s") % {"day": day, "clock": data["at"]} if data.get("at") else day


def when(written: str) -> str:
    """A moment of JSON, on the reader's clock."""
    found = parse_datetime(written)
    return date_format(timezone.localtime(found), "DATETIME_FORMAT") if found else written


def line(text: Any) -> str:
    """The beginning of a text, on one line."""
    told = " ".join(str(text or "").split())
    return told if len(told) <= 80 else f"{told[:79]}…"
