"""Tells another system, by a signed POST to an address of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import outbound
from crm.api.json import dumps
from crm.api.json import moment as told_moment
from workflows import inputs
from workflows.messages import configuration, templates, values
from workflows.steps.base import CleanContext, Done, GiveUp, Moment, Outcome, Retry, Step, step
from workflows.words import Said

MAX_HEADERS = 20
MAX_DATA = 64 * 1024
MAX_DEPTH = 10
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e]{0,2000}")
# What is ours to say: where one request ends, and that it is from us.
_OURS = re.compile(
    r"(?i)host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|proxy-.*"
    r"|webhook-.*|accept-encoding|keep-alive"
)


@step
class CallWebhook(Step):
    """`{"url": …, "data": {…}, "headers": {…}}`; texts within `data` are templates."""

    type = "call_webhook"
    label = gettext_lazy("Call another system")
    keys = frozenset({"url", "data", "headers"})
    hint = gettext_lazy("Tells another system by a signed request to an address of its own.")
    icon = "webhook"
    form = (
        inputs.Text("url", gettext_lazy("Address"), required=True, longest=2000),
        inputs.Object(
            "data",
            gettext_lazy("Data"),
            help=gettext_lazy(
                "Sent beside the contact and the activity. Texts may name variables."
            ),
        ),
        inputs.Object("headers", gettext_lazy("Headers")),
    )
    external = True

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return str(urlsplit(data["url"]).hostname or data["url"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors: dict[str, Any] = {}
        if not data.get("url"):
            errors["url"] = ValidationError(_("This is required."), code="required")
        else:
            try:
                outbound.check_url(data["url"])
            except ValidationError as error:
                errors["url"] = error
        _check_headers(data.get("headers"), errors)
        custom = data.get("data")
        if custom is not None and not isinstance(custom, dict):
            errors["data"] = ValidationError(_("This must be a JSON object."), code="not_an_object")
        elif len(dumps(custom)) > MAX_DATA:
            errors["data"] = ValidationError(_("This is larger than 64 KB."), code="too_large")
        else:
            _check_texts(custom, "data", context, errors)
        if errors:
            raise ValidationError(errors)

    def told(self, output: Mapping[str, Any]) -> str:
        if output["status"] == "simulated":
            return _("Would be sent to %(address)s.") % {"address": output["url"]}
        return _("Answered %(status)s.") % {"status": output["status"]}

    def run(self, moment: Moment) -> Outcome:
        body = self._body(moment)
        secret = configuration.kept(moment.organisation).webhook_secret
        headers = {
            **(moment.data.get("headers") or {}),
            "content-type": "application/json",
            **outbound.signed(
                secret=secret,
                message_id=f"{moment.idempotency_key}.{moment.organisation.hash_id}",
                moment=moment.now,
                body=body,
            ),
        }
        try:
            answer = outbound.post(moment.data["url"], body=body, headers=headers)
        except outbound.Refused as error:
            raise GiveUp(str(error)) from error
        except outbound.Unreachable as error:
            raise Retry(str(error)) from error
        if answer.ok:
            return Done({"status": answer.status, "answer": answer.text, "seconds": answer.seconds})
        reason = " ".join(f"HTTP {answer.status} {answer.text[:300]}".split())
        if answer.worth_retrying:
            after = answer.retry_after
            raise Retry(reason, None if after is None else timedelta(seconds=after))
        if 300 <= answer.status < 400:
            reason = _("%(answer)s: redirects are not followed.") % {"answer": reason}
        raise GiveUp(reason)

    def simulate(self, moment: Moment) -> Outcome:
        return Done(
            {
                "status": "simulated",
                "url": moment.data["url"],
                "body": self._body(moment).decode(),
            }
        )

    def without_secrets(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The headers without their values: those of `Authorization` are passwords."""
        headers = data.get("headers")
        return {**data, "headers": dict.fromkeys(headers, "")} if headers else data

    def _body(self, moment: Moment) -> bytes:
        organisation = moment.organisation
        told = values.plain(
            moment.template_values(),
            organisation=organisation,
            locale=configuration.locale(organisation, configuration.of(organisation)),
            now=moment.now,
            zone=moment.contact.timezone or organisation.timezone,
        )
        try:
            custom = _rendered(moment.data.get("data") or {}, told)
        except templates.TooMuch as error:
            raise GiveUp(_("This would take too much: %(what)s.") % {"what": error}) from None
        return dumps(
            {
                "type": "workflow.step",
                "timestamp": told_moment(moment.now),
                "data": {
                    "workflow": {
                        "id": moment.run.workflow_id,
                        "name": moment.run.workflow.name,
                    },
                    "run": moment.run.pk,
                    "step": moment.data.get("id"),
                    "contact": told.get("contact"),
                    "activity": told.get("activity"),
                    "custom": custom,
                },
            }
        )


def _check_headers(headers: Any, errors: dict[str, Any]) -> None:
    if headers is None:
        return
    if not isinstance(headers, dict) or len(headers) > MAX_HEADERS:
        errors["headers"] = ValidationError(
            _("Use a JSON object of at most %(limit)d headers."),
            code="invalid",
            params={"limit": MAX_HEADERS},
        )
        return
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not isinstance(value, str) or not _VALUE.fullmatch(value):
            errors[f"headers.{name}"] = ValidationError(
                _("This is no header of HTTP."), code="invalid"
            )
        elif _OURS.fullmatch(name):
            errors[f"headers.{name}"] = ValidationError(
                _("This header is set by Regulars."), code="reserved"
            )


def _check_texts(
    value: Any, path: str, context: CleanContext, errors: dict[str, Any], depth: int = 0
) -> None:
    """See that every text within is a template."""
    if depth > MAX_DEPTH:
        errors[path] = ValidationError(_("This is nested too deeply."), code="too_deep")
    elif isinstance(value, str):
        if "{" not in value:
            return
        try:
            templates.check(
                value, about=context.about, organisation=context.organisation, html=False
            )
        except ValidationError as error:
            errors[path] = error
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_texts(inner, f"{path}.{key}", context, errors, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_texts(inner, f"{path}[{index}]", context, errors, depth + 1)


def _rendered(value: Any, told: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return templates.render(value, told, html=False) if "{" in value else value
    if isinstance(value, dict):
        return {key: _rendered(inner, told) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rendered(inner, told) for inner in value]
    return value
