"""SMS by Twilio's REST API (https://www.twilio.com/docs/messaging/api/message-resource)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

from crm.logs import scrubbed
from workflows.messages.errors import Misconfigured, Refusal, Unavailable
from workflows.messages.sms import SentSms, SmsBackend

SECONDS = 15.0

UNSUBSCRIBED = 21610
"""They answered STOP."""
# https://www.twilio.com/docs/api/errors: no number, none that can be reached, no mobile phone.
_REFUSED = frozenset({21211, 21214, 21217, 21265, 21408, 21612, 21614, 63033, UNSUBSCRIBED})


class TwilioBackend(SmsBackend):
    """POSTs a form with the account's own user and password. Twilio knows no idempotency key."""

    def send(self, to: str, text: str, *, sender: str, idempotency_key: str) -> SentSms:
        origin = sender or settings.TWILIO_FROM
        service = origin.startswith("MG")
        form = {"To": to, "Body": text, "MessagingServiceSid" if service else "From": origin}
        account = settings.TWILIO_ACCOUNT_SID
        url = f"{settings.TWILIO_URL.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        try:
            answer = httpx2.post(
                url,
                data=form,
                auth=(account, settings.TWILIO_AUTH_TOKEN),
                timeout=SECONDS,
                follow_redirects=False,
            )
        except httpx2.TimeoutException:
            raise Unavailable(
                _("Twilio did not answer within %(seconds)g seconds.") % {"seconds": SECONDS}
            ) from None
        except httpx2.HTTPError as error:
            reason = scrubbed(str(error)) or type(error).__name__
            raise Unavailable(_("Twilio does not answer: %(why)s.") % {"why": reason}) from None
        told = _json(answer)
        if answer.status_code in (200, 201):
            return SentSms(str(told.get("sid", "")), str(told.get("status", "")))
        raise _failure(answer, told)


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _failure(answer: httpx2.Response, told: dict[str, Any]) -> Exception:
    code = told.get("code")
    # Twilio repeats the number in its sentence.
    said = scrubbed(str(told.get("message", "")))[:200]
    reason = " ".join(f"Twilio {answer.status_code} {code or ''} {said}".split())
    if answer.status_code == 429 or answer.status_code >= 500:
        wait = answer.headers.get("retry-after", "")
        after = timedelta(seconds=min(int(wait), 86_400)) if wait.isdecimal() else None
        return Unavailable(reason, after)
    if code in _REFUSED:
        return Refusal(reason, unsubscribed=code == UNSUBSCRIBED)
    return Misconfigured(reason)
