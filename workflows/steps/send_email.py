"""Sends an e-mail to the contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.models import Contact
from workflows import inputs
from workflows.messages import configuration, mail, templates
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

FORMATS = ("html", "text")


@step
class SendEmail(MessageStep):
    """`{"subject": …, "body": …}`, both templates; the body is HTML unless `format` is `text`."""

    type = "send_email"
    label = gettext_lazy("Send an e-mail")
    keys = frozenset({"subject", "body", "format", "transactional", "quietHours"})
    hint = gettext_lazy("To the contact, unless they unsubscribed.")
    icon = "mail"
    form = (
        inputs.Template("subject", gettext_lazy("Subject"), required=True),
        inputs.Template("body", gettext_lazy("Text"), rows=12, required=True),
        inputs.Choice(
            "format",
            gettext_lazy("Written as"),
            options=[("", gettext_lazy("HTML")), ("text", gettext_lazy("Plain text"))],
        ),
        *COMMON,
    )
    channel = Channel.EMAIL
    missing = gettext_lazy("The contact has no e-mail address.")

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return line(data["subject"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors: dict[str, Any] = {}
        if data.get("format", "html") not in FORMATS:
            errors["format"] = ValidationError(
                _("Use one of %(choices)s.") % {"choices": ", ".join(FORMATS)},
                code="invalid_choice",
            )
        check_template(data, "subject", context, errors)
        check_template(data, "body", context, errors, html=_is_html(data))
        check_common(data, errors)
        if errors:
            raise ValidationError(errors)

    def address(self, contact: Contact) -> str | None:
        # Without its key it is a placeholder, which is nobody's.
        return contact.email_address if contact.email_key else None

    def compose(
        self, moment: Moment, chosen: MessageSettings, to: str, rendered_with: Mapping[str, Any]
    ) -> Composed:
        data, html = moment.data, _is_html(moment.data)
        subject = templates.render(data["subject"], rendered_with, html=False)
        body = templates.render(data["body"], rendered_with, html=html)
        sender = configuration.sender(moment.organisation, chosen)
        language = configuration.locale(moment.organisation, chosen).partition("_")[0]
        marketing = not self.transactional(moment)
        with translation.override(language):
            letter = mail.letter(
                to=to,
                subject=subject,
                body=body,
                html=html,
                sender=sender,
                reply_to=chosen.reply_to,
                unsubscribe_url=rendered_with["unsubscribeUrl"] if marketing else "",
                language=language,
                message_id=mail.message_id(
                    moment.idempotency_key, moment.organisation.hash_id, sender[1]
                ),
            )
        shown = {"text": letter.text} if html else {}
        return Composed(to, letter.subject, letter.html or letter.text, letter, shown)

    def hand_over(self, composed: Composed, moment: Moment) -> str:
        letter: mail.Letter = composed.parcel
        mail.send(letter)
        return letter.headers["Message-ID"]


def _is_html(data: Mapping[str, Any]) -> bool:
    return bool(data.get("format") != "text")
