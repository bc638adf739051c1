"""A connection's form: its source says what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm.admin.forms import ServiceForm
from integrations.models import Connection
from integrations.secrets import blotted
from integrations.sources import Source
from integrations.sources.base import Credential, Option

STYLES = {"all": ["regulars/integrations.css"]}
CREDENTIAL, OPTION, FORGET = "credential_", "option_", "forget_"


class ConnectionForm(ServiceForm):
    """A name, the credentials and the options. A secret is typed in and never shown again."""

    secret_names: ClassVar[frozenset[str]] = frozenset()

    def field_of(self, path: str) -> str | None:
        found = (f"{prefix}{path}" for prefix in (CREDENTIAL, OPTION, ""))
        return next((name for name in found if name in self.fields), None)

    def credentials(self) -> dict[str, str | None]:
        """What was typed. An empty secret is left as it is, anything else that is emptied goes."""
        typed: dict[str, str | None] = {
            name: value or (None if name not in self.secret_names else "")
            for name, value in self._given(CREDENTIAL)
        }
        return typed | {name: None for name, forget in self._given(FORGET) if forget}

    def options(self) -> dict[str, str]:
        return dict(self._given(OPTION))

    def _given(self, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in self.cleaned_data.items():
            if name.startswith(prefix):
                yield name.removeprefix(prefix), value


def form_of(kind: Source, connection: Connection | None) -> type[ConnectionForm]:
    """The form of a source's connections, filled with what may be shown."""
    secrets = connection.known_secrets if connection is not None else {}
    options = connection.options if connection is not None else {}
    fields: dict[str, Any] = {
        f"{CREDENTIAL}{one.name}": _credential_field(one, secrets)
        for one in kind.credentials
        if one.asked
    }
    fields |= {
        f"{FORGET}{one.name}": forms.BooleanField(
            label=_("Forget: %(name)s") % {"name": one.label},
            required=False,
            widget=UnfoldBooleanSwitchWidget,
        )
        for one in kind.credentials
        if one.secret and not one.required and secrets.get(one.name)
    }
    fields |= {f"{OPTION}{one.name}": _option_field(one, options) for one in kind.every_option}
    names = frozenset(one.name for one in kind.credentials if one.secret)
    return type("ConnectionForm", (ConnectionForm,), {**fields, "secret_names": names})


def _credential_field(one: Credential, secrets: Mapping[str, Any]) -> forms.Field:
    known = secrets.get(one.name)
    shared: dict[str, Any] = {"label": one.label, "help_text": one.help}
    if not one.secret:
        return forms.CharField(
            required=one.required, initial=known, widget=UnfoldAdminTextInputWidget, **shared
        )
    if known:
        kept = _("Stored: %(end)s. Leave this empty to keep it.") % blotted({"end": known})
        shared["help_text"] = f"{one.help} {kept}".strip()
    return forms.CharField(
        required=one.required and not known,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        **shared,
    )


def _option_field(one: Option, options: Mapping[str, str]) -> forms.Field:
    shared: dict[str, Any] = {
        "label": one.label,
        "initial": options.get(one.name, one.default),
        "help_text": one.help,
    }
    if one.choices:
        return forms.ChoiceField(choices=one.choices, widget=UnfoldAdminSelectWidget, **shared)
    # A single line would lose the ends of several.
    widget = UnfoldAdminTextareaWidget if one.lines else UnfoldAdminTextInputWidget
    return forms.CharField(required=False, widget=widget, **shared)
