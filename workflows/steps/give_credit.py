"""Gives the contact credit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import MAX_SPEND
from crm import money
from organisations.models import validate_currency
from workflows import checks, inputs
from workflows.steps.add_tag import refuse_redacted
from workflows.steps.base import CleanContext, Done, Family, Moment, Outcome, Step, step
from workflows.words import Said, length, line, when


@step
class GiveCredit(Step):
    """`{"amount": 500, "currencyCode": "GBP", "expiresAfter": "P90D", "reason": "…"}`: the amount
    in the smallest unit; without a currency, the organisation's."""

    type = "give_credit"
    label = gettext_lazy("Give credit")
    keys = frozenset({"amount", "currencyCode", "expiresAfter", "reason"})
    hint = gettext_lazy("Money that the contact can spend with you.")
    family = Family.CONTACT
    icon = "savings"
    form = (
        inputs.Money("amount", gettext_lazy("Amount"), required=True),
        inputs.Length(
            "expiresAfter",
            gettext_lazy("Expires after"),
            help=gettext_lazy("Empty: it does not expire."),
        ),
        inputs.Text(
            "reason",
            gettext_lazy("Reason"),
            longest=200,
            help=gettext_lazy("Shown in the ledger; the name of the workflow without."),
        ),
    )

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        told = [said.money(data, "amount")]
        if data.get("expiresAfter"):
            told.append(_("expires after %(length)s") % {"length": length(data["expiresAfter"])})
        if data.get("reason"):
            told.append(line(data["reason"]))
        return ", ".join(told)

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        amount = data.get("amount")
        if amount is None:
            errors["amount"] = checks.required()
        elif type(amount) is not int or not 0 < amount <= MAX_SPEND:
            errors["amount"] = checks.error(
                _("Use a whole number of the currency's smallest unit, such as 500 for 5.00.")
            )
        if data.get("currencyCode") is not None:
            with errors.at("currencyCode"):
                validate_currency(checks.text(data["currencyCode"]))
        if data.get("expiresAfter") is not None:
            with errors.at("expiresAfter"):
                checks.duration(data["expiresAfter"])
        if data.get("reason") not in (None, ""):
            with errors.at("reason"):
                checks.text(data["reason"], longest=200)
        errors.raise_if_any()

    def told(self, output: Mapping[str, Any]) -> str:
        amount = money.show(output["amount"], output["currencyCode"])
        if not output["expiresAt"]:
            return _("%(amount)s given.") % {"amount": amount}
        given = {"amount": amount, "moment": when(output["expiresAt"])}
        return _("%(amount)s given, until %(moment)s.") % given

    def run(self, moment: Moment) -> Outcome:
        from rewards import services

        refuse_redacted(moment)
        data, expires_at = moment.data, None
        if data.get("expiresAfter") is not None:
            expires_at = checks.duration(data["expiresAfter"]).after(moment.now, moment.zone)
        granted = services.grant(
            contact=moment.contact,
            amount=data["amount"],
            currency_code=data.get("currencyCode") or moment.organisation.currency_code,
            expires_at=expires_at,
            reason=data.get("reason") or moment.run.workflow.name,
            external_reference=moment.idempotency_key,
        )
        entry = granted[0] if isinstance(granted, tuple) else granted
        return Done(
            {
                "entry": entry.pk,
                "amount": data["amount"],
                "currencyCode": entry.currency_code,
                "expiresAt": expires_at,
            }
        )
