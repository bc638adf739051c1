"""Sends an SMS to the contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from workflows import inputs
from workflows.messages import sms, templates
from workflows.messages.errors import Refusal
from workflows.messages.models import Channel, MessageSettings
from workflows.messages.step import (
    COMMON,
    Composed,
    MessageStep,
    check_common,
    check_template,
)
from workflows.steps.base import CleanContext, Moment, step
from workflows.words import Said, line


@step
class SendSms(MessageStep):
    """`{"text": …}`, a template."""

    type = "send_sms"
    label = gettext_lazy("Send an SMS")
    keys = frozenset({"text", "transactional", "quietHours"})
    hint = gettext_lazy("To the contact's phone, unless they unsubscribed.")
    icon = "sms"
    form = (inputs.Template("text", gettext_lazy("Text"), rows=4, required=True), *COMMON)
    channel = Channel.SMS
    missing = gettext_lazy("The contact has no phone number.")

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return line(data["text"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors: dict[str, Any] = {}
        check_template(data, "text", context, errors)
        check_common(data, errors)
        if errors:
            raise ValidationError(errors)

    def address(self, contact: Contact) -> str | None:
        return contact.phone_number_e164

    def compose(
        self, moment: Moment, chosen: MessageSettings, to: str, rendered_with: Mapping[str, Any]
    ) -> Composed:
        text = templates.render(moment.data["text"], rendered_with, html=False).strip()
        if not text:
            raise Refusal(_("The text is empty for this contact."))
        if len(text) > sms.MAX_TEXT:
            raise Refusal(
                _("The text has %(length)d characters, more than %(limit)d.")
                % {"length": len(text), "limit": sms.MAX_TEXT}
            )
        return Composed(to, "", text, parcel=chosen.sms_sender)

    def hand_over(self, composed: Composed, moment: Moment) -> str:
        sent = sms.backend().send(
            composed.to,
            composed.body,
            sender=composed.parcel,
            idempotency_key=moment.idempotency_key,
        )
        return sent.id
