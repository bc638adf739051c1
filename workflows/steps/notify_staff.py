"""Tells staff: an alert in the admin, and an e-mail to those of a role."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from organisations import roles
from organisations.models import Membership, Organisation
from workflows import alerts, inputs
from workflows.messages import configuration, mail, templates, values
from workflows.messages.errors import Misconfigured, Refusal, Unavailable
from workflows.messages.step import check_template
from workflows.steps.base import (
    CleanContext,
    Done,
    Family,
    GiveUp,
    Moment,
    Outcome,
    Step,
    Wait,
    step,
)
from workflows.words import Said, line

EVERYONE = "Everyone"
TRIES = 5
"""How often the e-mail is tried. The alert is there from the first."""


@step
class NotifyStaff(Step):
    """`{"title": …, "text": …, "role": "Manager"}`; title and text are templates."""

    type = "notify_staff"
    label = gettext_lazy("Tell the staff")
    keys = frozenset({"title", "text", "role"})
    hint = gettext_lazy("An alert on the first page, and an e-mail to those of a role.")
    family = Family.MESSAGES
    icon = "notifications"
    form = (
        inputs.Template("title", gettext_lazy("Title"), required=True),
        inputs.Template("text", gettext_lazy("Text"), rows=5),
        inputs.Choice(
            "role",
            gettext_lazy("E-mail to"),
            options=[
                ("", gettext_lazy("Nobody, only the alert")),
                (EVERYONE, gettext_lazy("Everyone")),
                *roles.LABELS.items(),
            ],
        ),
    )
    external = True

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return line(data["title"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors: dict[str, Any] = {}
        check_template(data, "title", context, errors)
        check_template(data, "text", context, errors, required=False)
        choices = (*roles.ROLES, EVERYONE)
        if data.get("role") not in (None, "", *choices):
            errors["role"] = ValidationError(
                _("Use one of %(choices)s."),
                code="invalid_choice",
                params={"choices": ", ".join(choices)},
            )
        if errors:
            raise ValidationError(errors)

    def told(self, output: Mapping[str, Any]) -> str:
        mailed = output["mailed"]
        text = ngettext("Told, and %(count)d e-mail.", "Told, and %(count)d e-mails.", mailed)
        lines = (output.get("title"), text % {"count": mailed}, output.get("error"))
        return " ".join(filter(None, lines))

    def run(self, moment: Moment) -> Outcome:
        title, text = _said(moment)
        path = reverse("admin:contacts_contact_change", args=[moment.contact.pk])
        kept = dict(moment.memory)
        if "alert" not in kept:
            alert = alerts.tell(
                organisation=moment.organisation,
                text=f"{title}\n{text}".strip(),
                link=path,
                contact=moment.contact,
            )
            kept = {"alert": alert.pk, "mailed": [], "tries": 0}
        waiting = [
            (pk, address)
            for pk, address in _members(moment.organisation, moment.data.get("role"))
            if pk not in kept["mailed"]
        ]
        error = ""
        for pk, address in waiting:
            try:
                _mail(moment, address, title, text, path, key=f"{moment.idempotency_key}-{pk}")
            except (Unavailable, Misconfigured) as failed:
                error = str(failed)
                break
            except Refusal as refusal:
                error = str(refusal)
            kept["mailed"].append(pk)
        else:
            return Done(
                {"alert": kept["alert"], "mailed": len(kept["mailed"])}
                | ({"error": error} if error else {})
            )
        kept["tries"] += 1
        if kept["tries"] >= TRIES:
            raise GiveUp(error)
        return Wait(moment.now + timedelta(minutes=2 ** kept["tries"]), kept)

    def simulate(self, moment: Moment) -> Outcome:
        title, text = _said(moment)
        told = len(_members(moment.organisation, moment.data.get("role")))
        return Done({"status": "simulated", "title": title, "text": text, "mailed": told})


def _said(moment: Moment) -> tuple[str, str]:
    organisation = moment.organisation
    told = values.plain(
        moment.template_values(),
        organisation=organisation,
        locale=configuration.locale(organisation, configuration.of(organisation)),
        now=moment.now,
        zone=organisation.timezone,
    )
    try:
        title = templates.render(moment.data["title"], told, html=False)
        text = templates.render(moment.data.get("text") or "", told, html=False)
    except templates.TooMuch as error:
        raise GiveUp(_("This would take too much: %(what)s.") % {"what": error}) from None
    return mail.subject_of(title), text.strip()


def _members(organisation: Organisation, role: str | None) -> list[tuple[int, str]]:
    """The members of staff with this role who can be reached, by their ids."""
    if not role:
        return []
    members = Membership.objects.for_organisation(organisation).filter(user__is_active=True)
    if role != EVERYONE:
        members = members.filter(role__name=role)
    found = members.exclude(user__email="").order_by("pk")
    return list(found.values_list("pk", "user__email"))


def _mail(moment: Moment, address: str, title: str, text: str, path: str, *, key: str) -> None:
    organisation = moment.organisation
    body = render_to_string(
        "emails/alert.txt",
        {
            "text": text or title,
            "link": settings.SITE_URL.rstrip("/") + path if settings.SITE_URL else "",
            "organisation": organisation.name,
        },
    )
    sender = configuration.sender(organisation, configuration.of(organisation))
    mail.send(
        mail.letter(
            to=address,
            subject=title,
            body=body,
            html=False,
            sender=sender,
            message_id=mail.message_id(key, organisation.hash_id, sender[1]),
        )
    )
