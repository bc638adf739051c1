"""Messages to contacts, and how an organisation sends them."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact, ContactPermission
from crm.outbound import new_secret
from organisations.models import TenantModel
from workflows.messages.filters import is_locale
from workflows.models import LOOSE

Channel = ContactPermission.Channel
"""By which way a message goes."""


class Message(TenantModel):
    """A message of a workflow to a contact, as it was rendered: sent, or why it was not.

    What it says is personal data: it goes when the contact is redacted. It stays when its run is
    deleted.
    """

    class Status(models.TextChoices):
        SENT = "sent", _("Sent")
        SKIPPED = "skipped", _("Skipped")
        FAILED = "failed", _("Failed")

    contact = models.ForeignKey(
        Contact,
        models.CASCADE,
        related_name="messages",
        db_index=False,  # message_timeline
        verbose_name=_("contact"),
    )
    run = models.ForeignKey(
        "workflows.Run", models.DO_NOTHING, null=True, verbose_name=_("run"), **LOOSE
    )
    step_id = models.CharField(_("step"), max_length=60, blank=True, default="")
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    reason = models.CharField(
        _("reason"), max_length=500, blank=True, default="", help_text=_("Why it was not sent.")
    )
    transactional = models.BooleanField(_("transactional"), default=False)
    to = models.CharField(_("to"), max_length=254, blank=True, default="")
    subject = models.CharField(_("subject"), max_length=255, blank=True, default="")
    body = models.TextField(_("body"), blank=True, default="")
    idempotency_key = models.CharField(_("key"), max_length=255)
    provider_id = models.CharField(
        _("provider's id"),
        max_length=255,
        blank=True,
        default="",
        help_text=_("What the other side calls it: an e-mail's Message-ID, Twilio's SID."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at", "-id"]
        indexes = [
            # The admin's list: newest first.
            models.Index(fields=["organisation", "-created_at", "-id"], name="message_newest"),
            # A contact's timeline, merge and redaction.
            models.Index(fields=["contact", "-created_at", "-id"], name="message_timeline"),
        ]
        constraints = [
            # A step that is run again finds what it sent.
            models.UniqueConstraint(fields=["organisation", "idempotency_key"], name="message_once")
        ]

    def __str__(self) -> str:
        return self.subject or f"{self.get_channel_display()} #{self.pk}"


def validate_locale(value: str) -> None:
    """A CLDR locale that is there, such as `en_GB`."""
    if not is_locale(value):
        raise ValidationError(
            _("%(value)s is not a locale, such as en_GB."),
            code="invalid_locale",
            params={"value": value},
        )


class MessageSettings(TenantModel):
    """How an organisation's messages are sent. One row, made when something is set first."""

    sender_name = models.CharField(
        _("sender's name"),
        max_length=100,
        blank=True,
        default="",
        help_text=_("What receivers see beside the address; the organisation's name when empty."),
    )
    sender_email = models.EmailField(
        _("sender's e-mail"),
        blank=True,
        default="",
        help_text=_("The mail server must be allowed to send for it (SPF, DKIM)."),
    )
    reply_to = models.EmailField(
        _("replies go to"), blank=True, default="", help_text=_("The sender when empty.")
    )
    sms_sender = models.CharField(
        _("SMS sender"),
        max_length=40,
        blank=True,
        default="",
        validators=[
            RegexValidator(
                r"^(\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32}|[A-Za-z0-9 ]{1,11})$",
                _("Use a number such as +447700900000, or at most 11 letters and digits."),
            )
        ],
        help_text=_("A number of yours, or a name where your provider allows it."),
    )
    locale = models.CharField(
        _("locale"),
        max_length=20,
        blank=True,
        default="",
        validators=[validate_locale],
        help_text=_("How dates and money are written in messages; as in the country when empty."),
    )
    send_to_unknown = models.BooleanField(
        _("send marketing without a known permission"),
        default=True,
        help_text=_("To contacts who neither subscribed nor unsubscribed."),
    )
    quiet_from = models.TimeField(
        _("quiet from"),
        null=True,
        blank=True,
        help_text=_("Marketing messages wait in these hours, on each contact's own clock."),
    )
    quiet_to = models.TimeField(_("quiet until"), null=True, blank=True)
    webhook_secret = models.CharField(
        _("signing secret"), max_length=100, default=new_secret, editable=False
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("message settings")
        verbose_name_plural = _("message settings")
        constraints = [
            models.UniqueConstraint(fields=["organisation"], name="message_settings_once")
        ]

    def __str__(self) -> str:
        return str(_("Message settings"))

    def clean(self) -> None:
        """Both ends of the quiet hours, or neither."""
        if (self.quiet_from is None) != (self.quiet_to is None):
            missing = "quiet_from" if self.quiet_from is None else "quiet_to"
            raise ValidationError(
                {missing: ValidationError(_("Give both ends, or neither."), code="both")}
            )
        if self.quiet_from is not None and self.quiet_from == self.quiet_to:
            raise ValidationError(
                {"quiet_to": ValidationError(_("This ends when it begins."), code="same")}
            )
