"""Rules of workflows, each read once for all the contacts that are asked it together."""

from __future__ import annotations

from typing import Any

import orjson

from contacts import rules
from organisations.models import Organisation

ABOUT = ("contact", "activity")
EVERYONE = {"all": []}  # type: dict[str, list[Any]]


class Rulebook:
    """For one batch of work: what fields and segments were then is what its rules go by."""

    def __init__(self) -> None:
        self._rules: dict[tuple[int, bytes], rules.Rule] = {}
        self._readings: dict[int, rules.Reading] = {}

    def rule(self, organisation: Organisation, conditions: Any) -> rules.Rule:
        """The rule that `conditions` says, nothing being everyone. Raises ValidationError for one
        that can no longer be read, because what it speaks of is gone."""
        data = conditions or EVERYONE
        key = (organisation.pk, orjson.dumps(data))
        if key not in self._rules:
            reading = self._readings.setdefault(
                organisation.pk, rules.Reading(organisation, about=ABOUT)
            )
            self._rules[key] = rules.parse(
                data, organisation=organisation, about=ABOUT, reading=reading
            )
        return self._rules[key]
