"""Records an activity of the contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities import services
from activities.models import MAX_SPEND
from organisations.models import validate_currency
from workflows import checks, inputs, texts
from workflows.steps.base import CleanContext, Done, Family, Moment, Outcome, Step, step
from workflows.words import Said

SOURCE = "workflow"


@step
class CreateActivity(Step):
    """`{"activityType": "Massage", "spend": 0, "currencyCode": "GBP", "source": "workflow", "data":
    {}}`. It happens when the step is reached. Texts in `data` may be templates."""

    type = "create_activity"
    label = gettext_lazy("Record an activity")
    keys = frozenset({"activityType", "spend", "currencyCode", "source", "data"})
    hint = gettext_lazy("Writes into the contact's history.")
    family = Family.CONTACT
    icon = "add_task"
    form = (
        inputs.ActivityType("activityType", gettext_lazy("Type"), required=True),
        inputs.Money("spend", gettext_lazy("Spend")),
        inputs.Text(
            "source",
            gettext_lazy("Source"),
            longest=100,
            help=gettext_lazy("Where it is said to come from; “workflow” without."),
        ),
        inputs.Object("data", gettext_lazy("Data"), help=gettext_lazy("Texts may name variables.")),
    )

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        spend = f" · {said.money(data, 'spend')}" if data.get("spend") else ""
        return f"{data['activityType']}{spend}"

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        with errors.at("activityType"):
            checks.activity_types([checks.text(data.get("activityType"))], context.organisation)
        spend = data.get("spend")
        if spend is not None and (type(spend) is not int or abs(spend) > MAX_SPEND):
            errors["spend"] = checks.error(
                _("Use a whole number of the currency's smallest unit, such as 4500 for 45.00.")
            )
        if data.get("currencyCode") is not None:
            with errors.at("currencyCode"):
                validate_currency(checks.text(data["currencyCode"]))
        if data.get("source") is not None:
            with errors.at("source"):
                checks.text(data["source"], longest=100)
        if data.get("data") is not None:
            with errors.at("data"):
                if not isinstance(data["data"], dict):
                    raise checks.error(_("Give an object."), "not_an_object")
                texts.check(data["data"], context)
        errors.raise_if_any()

    def told(self, output: Mapping[str, Any]) -> str:
        return _("Recorded.")

    def run(self, moment: Moment) -> Outcome:
        data = moment.data
        activity, _new = services.record(
            organisation=moment.organisation,
            contact=moment.contact,
            type=data["activityType"],
            source=data.get("source") or SOURCE,
            # A simulation's clock may be ahead of everybody's.
            happened_at=moment.now if not moment.simulated else moment.run.created_at,
            spend=data.get("spend") or 0,
            currency_code=data.get("currencyCode"),
            external_reference=moment.idempotency_key,
            data=texts.render(data.get("data") or {}, moment),
        )
        return Done({"activity": activity.pk})
