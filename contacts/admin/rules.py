"""Rules in the forms of the admin: JSON, on which `static/regulars/rules.js` puts a builder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.admin.forms import Refused
from crm.errors import Conflict


class RuleWidget(UnfoldAdminTextareaWidget):
    """The rule's JSON, which the builder writes and which is posted. Where HTML with it is inserted
    later, `Regulars.rules.attach(element)` puts the builder on it."""

    class Media:
        css = {"all": ["regulars/rules.css"]}
        js = ["regulars/elements.js", "regulars/rule-values.js", "regulars/rules.js"]

    def __init__(
        self, attrs: dict[str, Any] | None = None, *, about: Sequence[str] = ("contact",)
    ) -> None:
        super().__init__(attrs={"rows": 16, "spellcheck": "false", **(attrs or {})})
        self.about = about

    def build_attrs(
        self, base_attrs: dict[str, Any], extra_attrs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        fields = reverse("admin:contacts_segment_rule_fields")
        return super().build_attrs(base_attrs, extra_attrs) | {
            "data-rules": True,
            "data-about": " ".join(self.about),
            "data-fields": f"{fields}?{urlencode({'about': self.about}, doseq=True)}",
            "data-preview": reverse("admin:contacts_segment_rule_preview"),
        }


class RuleField(forms.JSONField):
    """A rule. That it is JSON is checked here; what it says, by the service that gets it.

    `about` says what it may ask, as of `contacts.rules.parse`: the contact, or with `"activity"`
    also the activity that starts a workflow.
    """

    def __init__(self, *, about: Sequence[str] = ("contact",), **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"all": []})
        kwargs.setdefault("widget", RuleWidget(about=about))
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
            told += [_placed(place, message) if place else message for message in messages]
        if told:
            self.by_path[field] = told


def _placed(place: str, message: str) -> str:
    """The builder, which says it beside the condition, takes it away here."""
    return format_html("<span data-rule-place>{}: {}</span>", place, message)
