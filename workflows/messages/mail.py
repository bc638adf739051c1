"""E-mail, handed to Django's backend (`EMAIL_URL`)."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formataddr

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import gettext as _

from crm.logs import scrubbed
from workflows.messages import plain
from workflows.messages.errors import Misconfigured, Refusal, Unavailable

MAX_SUBJECT = 250
_BODY_ENDS = re.compile(r"</body\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail as it goes out. `html` is None for one of plain text."""

    to: str
    subject: str
    text: str
    html: str | None = None
    sender: tuple[str, str] = ("", "")
    reply_to: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def subject_of(rendered: str) -> str:
    """A rendered subject in one line, as long as programs show one."""
    line = " ".join(rendered.split())
    return line if len(line) <= MAX_SUBJECT else line[: MAX_SUBJECT - 1] + "…"


def letter(
    *,
    to: str,
    subject: str,
    body: str,
    html: bool,
    sender: tuple[str, str],
    reply_to: str = "",
    unsubscribe_url: str = "",
    language: str = "en",
    message_id: str = "",
) -> Letter:
    """The e-mail of a rendered subject and body.

    With `unsubscribe_url` it has the headers of RFC 8058 and, when the body has no such link
    itself, one under it. HTML gets an alternative of plain text.
    """
    subject = subject_of(subject)
    shown = unsubscribe_url in body or escape(unsubscribe_url) in body
    footer = {"url": unsubscribe_url}
    if html:
        if unsubscribe_url and not shown:
            body = _beneath(body, render_to_string("emails/unsubscribe.html", footer))
        if "<html" not in body.lower():
            body = render_to_string(
                "emails/message.html", {"body": body, "subject": subject, "language": language}
            )
        text = plain.text_of(body)
    else:
        text = body
        if unsubscribe_url and not shown:
            text = f"{text.rstrip()}\n\n{render_to_string('emails/unsubscribe.txt', footer)}"
    headers = {"Message-ID": message_id} if message_id else {}
    if unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return Letter(to, subject, text, body if html else None, sender, reply_to, headers)


def _beneath(body: str, footer: str) -> str:
    end = [match.start() for match in _BODY_ENDS.finditer(body)]
    return body[: end[-1]] + footer + body[end[-1] :] if end else body + footer


def send(one: Letter) -> None:
    """Hand it over. Raises Refusal, Unavailable and Misconfigured."""
    message = EmailMultiAlternatives(
        one.subject,
        one.text,
        formataddr(one.sender) if one.sender[0] else one.sender[1],
        [one.to],
        reply_to=[one.reply_to] if one.reply_to else None,
        headers=dict(one.headers),
    )
    if one.html is not None:
        message.attach_alternative(one.html, "text/html")
    try:
        taken = message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (550, b""))
        raise _sorted(code, said, Refusal) from None
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise _sorted(error.smtp_code, error.smtp_error, Misconfigured) from None
    except smtplib.SMTPAuthenticationError:
        raise Misconfigured(_("The mail server does not know the user of EMAIL_URL.")) from None
    except (smtplib.SMTPException, OSError) as error:
        reason = scrubbed(str(error)) or type(error).__name__
        raise Unavailable(
            _("The mail server does not answer: %(why)s.") % {"why": reason}
        ) from None
    if not taken:
        raise Unavailable(_("The mail server did not take it."))


def _sorted(
    code: int, said: bytes | str, lasting: type[Refusal] | type[Misconfigured]
) -> Exception:
    """4xx passes, 5xx lasts (RFC 5321, 4.2.1)."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    reason = scrubbed(f"{code} {' '.join(text.split())}"[:300])
    return lasting(reason) if code >= 500 else Unavailable(reason)


def message_id(key: str, place: str, address: str) -> str:
    """The Message-ID of whatever has this key, the same at every attempt."""
    domain = address.rpartition("@")[2].strip(" >") or "localhost"
    ascii_domain = domain.encode("idna").decode() if not domain.isascii() else domain
    return f"<{key}.{place}@{ascii_domain}>"
