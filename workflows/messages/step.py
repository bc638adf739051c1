"""What the steps that send a message to a contact have in common.

Whether it may be sent, when, and what becomes of it is decided here; a channel says to where, what,
and how (`send_email`, `send_sms`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts import consent
from contacts.models import Contact
from workflows import inputs
from workflows.messages import configuration, quiet, templates, values
from workflows.messages.errors import Misconfigured, Refusal, Unavailable
from workflows.messages.models import Channel, Message, MessageSettings
from workflows.messages.templates import TooMuch
from workflows.steps.base import (
    CleanContext,
    Done,
    Family,
    GiveUp,
    Moment,
    Outcome,
    Retry,
    Step,
    Wait,
)

COMMON: inputs.Form = (
    inputs.YesNo(
        "transactional",
        gettext_lazy("Transactional"),
        help=gettext_lazy(
            "About something they asked for, such as a booking: also for those who unsubscribed, "
            "and at night."
        ),
    ),
    inputs.QuietHours("quietHours", gettext_lazy("Quiet hours")),
)
"""What people fill in for every channel."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A rendered message. `shown` is more that a simulation tells of it, `parcel` what the channel
    hands over."""

    to: str
    subject: str
    body: str
    parcel: Any = None
    shown: Mapping[str, str] = field(default_factory=dict)


class MessageStep(Step):
    """Sends a message to the run's contact, at least once; see docs/messages.md."""

    external = True
    family = Family.MESSAGES
    channel: ClassVar[Channel]
    missing: ClassVar[str | Promise]
    """What to say of a contact without an address."""

    def address(self, contact: Contact) -> str | None:
        """Where the contact is reached; None for nowhere."""
        raise NotImplementedError

    def compose(
        self, moment: Moment, chosen: MessageSettings, to: str, rendered_with: Mapping[str, Any]
    ) -> Composed:
        """Render the templates. Raises TooMuch; Refusal for what cannot be sent to them."""
        raise NotImplementedError

    def hand_over(self, composed: Composed, moment: Moment) -> str:
        """Send it; answers what the other side calls it. Raises Refusal, Unavailable and
        Misconfigured."""
        raise NotImplementedError

    def told(self, output: Mapping[str, Any]) -> str:
        if output["status"] == "simulated":
            return _("Would be sent to %(address)s.") % {"address": output["to"]}
        status = Message.Status(output["status"]).label
        return " ".join(filter(None, (f"{status}.", output.get("reason"))))

    def run(self, moment: Moment) -> Outcome:
        messages = Message.objects.for_organisation(moment.organisation)
        known = messages.filter(
            idempotency_key=moment.idempotency_key, status=Message.Status.SENT
        ).first()
        if known is not None:  # sent, and then the worker died
            return Done({"status": known.status, "message": known.pk})
        chosen = configuration.of(moment.organisation)
        hindrance = self.hindrance(moment, chosen)
        if hindrance is not None:
            return self._ended(moment, Message.Status.SKIPPED, hindrance)
        until = self._quiet_until(moment, chosen)
        if until is not None:
            return Wait(until)
        composed = None
        try:
            composed = self._composed(moment, chosen)
            provider_id = self.hand_over(composed, moment)
        except Refusal as refusal:
            if refusal.unsubscribed:
                consent.set_permission(
                    contact=moment.contact,
                    channel=self.channel,
                    status=consent.UNSUBSCRIBED,
                    source=self.type,
                )
            return self._ended(moment, Message.Status.FAILED, str(refusal), composed)
        except Unavailable as error:
            raise Retry(str(error), error.after) from error
        except Misconfigured as error:
            self._ended(moment, Message.Status.FAILED, str(error), composed)
            raise GiveUp(str(error)) from error
        return self._ended(moment, Message.Status.SENT, "", composed, provider_id)

    def simulate(self, moment: Moment) -> Outcome:
        """The message as it would go out, or why it would not."""
        chosen = configuration.of(moment.organisation)
        hindrance = self.hindrance(moment, chosen)
        if hindrance is not None:
            return Done({"status": Message.Status.SKIPPED.value, "reason": hindrance})
        until = self._quiet_until(moment, chosen)
        if until is not None:
            return Wait(until)
        try:
            composed = self._composed(moment, chosen)
        except Refusal as refusal:
            return Done({"status": Message.Status.FAILED.value, "reason": str(refusal)})
        told = {"to": composed.to, "subject": composed.subject, "body": composed.body}
        return Done({"status": "simulated", **told, **composed.shown})

    # Whether, and when

    def transactional(self, moment: Moment) -> bool:
        return moment.data.get("transactional") is True

    def hindrance(self, moment: Moment, chosen: MessageSettings) -> str | None:
        """Why the contact is not to get it; None when they are."""
        contact = moment.contact
        if contact.redacted_at is not None:
            return _("The contact's data was erased.")
        if not self.address(contact):
            return str(self.missing)
        transactional = self.transactional(moment)
        if not consent.may_send(contact, self.channel, transactional=transactional):
            return _("The contact unsubscribed.")
        stricter = not transactional and not chosen.send_to_unknown
        if stricter and consent.permission_of(contact, self.channel) != consent.SUBSCRIBED:
            return _("The contact has not subscribed.")
        return None

    def _quiet_until(self, moment: Moment, chosen: MessageSettings) -> Any:
        if self.transactional(moment):
            return None
        own = moment.data.get("quietHours")
        if own is False:
            return None
        if own is not None:
            hours: quiet.QuietHours | None = quiet.parse(own)
        else:
            hours = configuration.quiet_hours(chosen)
        zone = moment.contact.timezone or moment.organisation.timezone
        return hours.until(moment.now, zone) if hours else None

    # What, and what became of it

    def _composed(self, moment: Moment, chosen: MessageSettings) -> Composed:
        url = consent.unsubscribe_url(moment.contact, self.channel, moment.run.pk)
        rendered_with = values.plain(
            moment.template_values(),
            organisation=moment.organisation,
            locale=configuration.locale(moment.organisation, chosen),
            now=moment.now,
            zone=moment.contact.timezone or moment.organisation.timezone,
            unsubscribe_url=url,
        )
        to = self.address(moment.contact) or ""
        try:
            return self.compose(moment, chosen, to, rendered_with)
        except TooMuch as error:
            raise GiveUp(
                _("The message would take too much: %(what)s.") % {"what": error}
            ) from None

    def _ended(
        self,
        moment: Moment,
        status: Message.Status,
        reason: str,
        composed: Composed | None = None,
        provider_id: str = "",
    ) -> Done:
        """Write down how it ended, once for each step of a run."""
        said = (
            {"to": composed.to, "subject": composed.subject[:255], "body": composed.body}
            if composed
            else {}
        )
        message, _created = Message.objects.for_organisation(moment.organisation).update_or_create(
            idempotency_key=moment.idempotency_key,
            defaults={
                "organisation": moment.organisation,
                "contact": moment.contact,
                "run_id": moment.run.pk,
                "step_id": str(moment.data.get("id", ""))[:60],
                "channel": self.channel,
                "status": status,
                "reason": reason[:500],
                "transactional": self.transactional(moment),
                "provider_id": provider_id[:255],
                **said,
            },
        )
        output: dict[str, Any] = {"status": status.value, "message": message.pk}
        return Done(output | {"reason": reason} if reason else output)


def check_template(
    data: Mapping[str, Any],
    key: str,
    context: CleanContext,
    errors: dict[str, Any],
    *,
    html: bool = False,
    required: bool = True,
) -> None:
    """See that `data[key]` is a template, and note in `errors` what is wrong with it."""
    source = data.get(key)
    if source is None or (isinstance(source, str) and not source.strip()):
        if required:
            errors[key] = ValidationError(_("This is required."), code="required")
        return
    try:
        templates.check(source, about=context.about, organisation=context.organisation, html=html)
    except ValidationError as error:
        errors[key] = error


def check_common(data: Mapping[str, Any], errors: dict[str, Any]) -> None:
    """The keys that every channel has."""
    if not isinstance(data.get("transactional", False), bool):
        errors["transactional"] = ValidationError(_("Use true or false."), code="invalid_type")
    own = data.get("quietHours")
    if own is not None and own is not False:
        try:
            quiet.parse(own)
        except ValidationError as error:
            errors["quietHours"] = error
