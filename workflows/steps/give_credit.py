"""Gives the contact credit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import MAX_SPEND
from organisations.models import validate_currency
from workflows import checks
from workflows.steps.add_tag import refuse_redacted
from workflows.steps.base import CleanContext, Done, Moment, Outcome, Step, step


@step
class GiveCredit(Step):
    """`{"amount": 500, "currencyCode": "GBP", "expiresAfter": "P90D", "reason": "…"}`: the amount
    in the smallest unit; without a currency, the organisation's."""

    type = "give_credit"
    label = gettext_lazy("Give credit")
    keys = frozenset({"amount", "currencyCode", "expiresAfter", "reason"})

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
