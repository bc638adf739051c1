"""SMS, handed to the backend that `SMS_BACKEND` names. docs/messages.md says how to add one."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from workflows.messages.errors import Misconfigured

log = structlog.get_logger(__name__)

MAX_TEXT = 1_600
"""Characters of an SMS, in as many parts as that takes (Twilio's limit)."""


@dataclass(frozen=True, slots=True)
class SentSms:
    """What the provider calls it, and how it stands with it (`queued`)."""

    id: str
    status: str


class SmsBackend:
    """Somebody who sends SMS. Made anew for each use; settings are its own business."""

    def send(self, to: str, text: str, *, sender: str, idempotency_key: str) -> SentSms:
        """Send `text` to a number in E.164, from `sender` or, when that is empty, from the
        installation's own. Raises Refusal, Unavailable and Misconfigured (`messages.errors`)."""
        raise NotImplementedError


class LogBackend(SmsBackend):
    """Writes to the log, for trying out. As every line there, without the number."""

    def send(self, to: str, text: str, *, sender: str, idempotency_key: str) -> SentSms:
        log.info("sms", to=to, text=text, sender=sender, key=idempotency_key)
        return SentSms(idempotency_key, "logged")


class NoBackend(SmsBackend):
    """Nobody."""

    def send(self, to: str, text: str, *, sender: str, idempotency_key: str) -> SentSms:
        raise Misconfigured(_("SMS are not set up: SMS_BACKEND names no provider."))


BACKENDS = {
    "none": "workflows.messages.sms.NoBackend",
    "log": "workflows.messages.sms.LogBackend",
    "twilio": "workflows.messages.twilio.TwilioBackend",
}


def backend() -> SmsBackend:
    """The one that `SMS_BACKEND` names."""
    made: SmsBackend = import_string(BACKENDS[settings.SMS_BACKEND])()
    return made
