"""The form of an endpoint, and the one that asks which deliveries are sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from crm.admin.forms import ServiceForm
from integrations.outgoing import types
from integrations.outgoing.admin import values
from integrations.outgoing.models import WebhookDelivery
from integrations.outgoing.querysets import WebhookDeliveryQuerySet

STYLES = {"all": ["regulars/integrations.css", "regulars/webhooks.css"]}
_INPUT = " ".join(INPUT_CLASSES)

Explained = tuple[str, str | Promise]

GROUPS: Sequence[tuple[str | Promise, Sequence[Explained]]] = (
    (
        gettext_lazy("Contacts"),
        (
            (types.CONTACT_CREATED, gettext_lazy("a contact is new")),
            (types.CONTACT_UPDATED, gettext_lazy("something about a contact is changed")),
            (types.CONTACT_MERGED, gettext_lazy("two contacts become one")),
            (types.CONTACT_DELETED, gettext_lazy("a contact is deleted")),
            (types.CONTACT_REDACTED, gettext_lazy("a contact's data is erased")),
        ),
    ),
    (
        gettext_lazy("Activities"),
        (
            (types.ACTIVITY_CREATED, gettext_lazy("a purchase, booking or visit is recorded")),
            (types.ACTIVITY_UPDATED, gettext_lazy("one is corrected")),
            (types.ACTIVITY_DELETED, gettext_lazy("one is taken back")),
        ),
    ),
    (
        gettext_lazy("Segments"),
        (
            (types.SEGMENT_ENTERED, gettext_lazy("a contact comes into a segment")),
            (types.SEGMENT_LEFT, gettext_lazy("a contact leaves it")),
        ),
    ),
    (
        gettext_lazy("Credit"),
        (
            (types.CREDIT_GRANTED, gettext_lazy("a contact is given credit")),
            (types.CREDIT_REDEEMED, gettext_lazy("a contact spends it")),
        ),
    ),
    (
        gettext_lazy("Workflows"),
        ((types.RUN_FAILED, gettext_lazy("a run fails")),),
    ),
)
"""What an endpoint can be told of, as people choose it: when …"""

PATHS = (
    "data.type",
    "data.source",
    "data.currencyCode",
    "data.kind",
    "data.tags.name",
    "data.segment.name",
)
"""Paths into a message that are suggested; any other will do."""


class EventTypes(forms.CheckboxSelectMultiple):
    """Boxes in groups, each with what it means."""

    template_name = "admin/webhooks/widgets/event_types.html"
    input_type = "groups"  # not one box, which Unfold would put beside its label


class FiltersWidget(forms.Widget):
    """Rows of a path and of what is wanted there."""

    template_name = "admin/webhooks/widgets/filters.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"] |= {
            "rows": [*(value or ()), ("", "")],
            "suggestions": PATHS,
            "classes": _INPUT,
        }
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        paths, wanted = data.getlist(f"{name}_path"), data.getlist(f"{name}_values")
        rows = [(path.strip(), text) for path, text in zip(paths, wanted, strict=False)]
        return [(path, text) for path, text in rows if path or text.strip()]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_path" not in data


class FiltersField(forms.Field):
    """`{"data.type": ["Purchase"]}`, typed as rows. What the paths may be, the model says."""

    widget = FiltersWidget

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return [(path, values.written(found)) for path, found in value.items()]
        return value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return sorted(self.prepare_value(initial or {})) != sorted(data or ())

    def clean(self, value: Any) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for path, text in value or ():
            try:
                wanted = values.read(text)
            except ValueError:
                raise ValidationError(
                    _("%(path)s: close each quotation mark."), "quote", {"path": path}
                ) from None
            if not wanted:
                raise ValidationError(
                    _("%(path)s: say what is wanted there."), "empty", {"path": path}
                )
            found.setdefault(path, []).extend(wanted)
        return found


class EndpointForm(ServiceForm):
    """An address, and what it is told of."""

    event_types = forms.MultipleChoiceField(
        label=gettext_lazy("Told when …"),
        choices=[(group, list(kinds)) for group, kinds in GROUPS],
        required=False,
        widget=EventTypes,
        help_text=gettext_lazy(
            "Tick none to have everything told, and what later versions add to it too."
        ),
    )
    filters = FiltersField(
        label=gettext_lazy("Only when the message says"),
        required=False,
        help_text=gettext_lazy(
            "A message is sent when each path leads to one of its values. Several values with "
            "commas between: Purchase, Refund. A text in quotation marks stays a text: “12”."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "description" in self.fields:
            self.fields["description"].help_text = _("For people: which system this is.")
        if "url" in self.fields:
            self.fields["url"].help_text = _(
                "An https address of the internet that takes POST. Each address of it is checked "
                "when it is saved and when it is called."
            )


class RangeForm(forms.Form):
    """Deliveries of a period, by how they went."""

    status = forms.ChoiceField(
        label=gettext_lazy("Which"),
        choices=(
            (WebhookDelivery.Status.FAILED, gettext_lazy("Those that failed")),
            (WebhookDelivery.Status.DELIVERED, gettext_lazy("Those that were delivered")),
        ),
        widget=UnfoldAdminSelectWidget,
    )
    since = forms.DateTimeField(label=gettext_lazy("From"))
    until = forms.DateTimeField(label=gettext_lazy("To"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("since", "until"):
            self.fields[name].widget = UnfoldAdminTextInputWidget(
                attrs={"type": "datetime-local", "step": "1"}
            )
        self.fields["since"].initial = _typed(timezone.now() - timedelta(days=1))

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since is not None and until is not None and until < since:
            self.add_error("until", _("That is before its beginning."))
        return given

    def narrow(self, rows: WebhookDeliveryQuerySet) -> WebhookDeliveryQuerySet:
        """The deliveries that a valid form is for."""
        given = self.cleaned_data
        rows = rows.filter(status=given["status"], created_at__gte=given["since"])
        return rows.filter(created_at__lte=given["until"]) if given["until"] else rows


def _typed(moment: datetime) -> str:
    """As an input of the type `datetime-local` has it."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")
