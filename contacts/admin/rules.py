"""Rules in the forms of the admin: for now as JSON, which the builder is put on."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.admin.forms import Refused
from crm.errors import Conflict


class RuleWidget(UnfoldAdminTextareaWidget):
    """The rule's JSON."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs={"rows": 16, "spellcheck": "false", **(attrs or {})})


class RuleField(forms.JSONField):
    """A rule. That it is JSON is checked here; what it says, by the service that gets it."""

    widget = RuleWidget

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"all": []})
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return value  # as it was typed
        return json.dumps(value, indent=2, ensure_ascii=False)


class RefusedRule(Refused):
    """What a service says of a rule, all beside the one field of it, each with its place."""

    def __init__(self, error: ValidationError | Conflict, field: str = "rules") -> None:
        super().__init__(error)
        told: list[str] = []
        for path in [path for path in self.by_path if path.partition(".")[0] == field]:
            place = path.removeprefix(field).removeprefix(".")
            messages = self.by_path.pop(path)
            told += [f"{place}: {message}" if place else message for message in messages]
        if told:
            self.by_path[field] = told
