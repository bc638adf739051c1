"""The forms of an activity: the whole one, and the small one on a contact's page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from activities import types
from activities.models import Activity, ActivityType
from crm import money
from crm.admin.choices import currencies
from crm.admin.forms import ServiceForm
from organisations.models import Organisation

# What Regulars itself writes.
_AUTOMATIC = {
    types.CONTACT_MERGED_IN,
    types.REFERRAL_INVITE_CREATED,
    types.REFERRAL_INVITE_COMPLETED,
}


def own_types(organisation: Organisation) -> list[str]:
    """The names of the organisation's own types. One query."""
    own = ActivityType.objects.for_organisation(organisation).order_by("name")
    return list(own.values_list("name", flat=True))


def to_choose(organisation: Organisation, stored: Activity | None = None) -> list[Any]:
    """The types that people may give an activity, in groups. One query."""
    built_in = [name for name in types.BUILT_IN if name not in _AUTOMATIC]
    if stored is not None and stored.type in _AUTOMATIC:
        built_in.append(stored.type)
    own = own_types(organisation)
    groups: list[Any] = [(_("Built in"), [(name, name) for name in sorted(built_in)])]
    if own:
        groups.insert(0, (_("Your own"), [(name, name) for name in own]))
    return [("", _("Choose one")), *groups]


class ActivityForm(ServiceForm):
    """An activity, its money as people write it."""

    type = forms.ChoiceField(label=gettext_lazy("Type"), widget=UnfoldAdminSelectWidget)
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        required=False,
        max_digits=18,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("What was spent, such as 45.00; negative for money given back."),
    )
    currency_code = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=currencies, widget=UnfoldAdminSelect2Widget
    )
    history = forms.BooleanField(
        label=gettext_lazy("History"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("Counted like any other, but starts no workflow and no webhook."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        activity = kwargs.get("instance")
        stored = activity if activity is not None and activity.pk else None
        if stored is not None:
            amount = money.to_major(stored.spend, stored.currency_code)
            kwargs["initial"] = {"amount": amount, **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        if self.organisation is None:
            return
        if "currency_code" in self.fields and stored is None:
            self.fields["currency_code"].initial = self.organisation.currency_code
        if "type" in self.fields:
            kind: Any = self.fields["type"]
            kind.choices = to_choose(self.organisation, stored)
        if "happened_at" in self.fields and stored is None:
            self.fields["happened_at"].initial = timezone.now
            self.fields["source"].initial = "admin"

    def field_of(self, path: str) -> str | None:
        return "amount" if path == "spend" else super().field_of(path)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if "currency_code" in cleaned and "amount" in cleaned:
            try:
                cleaned["spend"] = money.to_minor(
                    cleaned["amount"] or Decimal(0), cleaned["currency_code"]
                )
            except ValueError:
                decimals = money.exponent(cleaned["currency_code"])
                self.add_error(
                    "amount",
                    _("%(currency)s has %(decimals)s decimals.")
                    % {"currency": cleaned["currency_code"], "decimals": decimals},
                )
        return cleaned


class QuickForm(forms.Form):
    """What happened, how much was spent, and when: all that most need."""

    type = forms.ChoiceField(label=gettext_lazy("What"))
    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        required=False,
        max_digits=18,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    happened_at = forms.DateTimeField(
        label=gettext_lazy("When"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, organisation: Organisation, data: Any = None) -> None:
        super().__init__(
            data,
            auto_id="activity-%s",
            # Minutes suffice, and browsers show seconds when there are any.
            initial={"happened_at": timezone.localtime().replace(second=0, microsecond=0)},
        )
        self.currency_code = organisation.currency_code
        kind: Any = self.fields["type"]
        kind.choices = to_choose(organisation)
        self.fields["amount"].label = _("Amount (%(currency)s)") % {"currency": self.currency_code}

    def clean_amount(self) -> int:
        """In the smallest unit."""
        amount = self.cleaned_data["amount"] or Decimal(0)
        try:
            return money.to_minor(amount, self.currency_code)
        except ValueError:
            decimals = money.exponent(self.currency_code)
            raise forms.ValidationError(
                _("%(currency)s has %(decimals)s decimals."),
                params={"currency": self.currency_code, "decimals": decimals},
            ) from None
