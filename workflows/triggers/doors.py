"""What people and other systems start directly."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from workflows import events
from workflows.triggers.base import Family, Trigger, trigger


class Direct(Trigger):
    """One that needs nobody to tell it."""

    family = Family.DIRECT

    def listens(self, data: object) -> list[str]:
        return []


@trigger
class Webhook(Direct):
    """Another system calls the workflow's own address (`workflows.hooks`)."""

    type = "webhook"
    label = _("Another system calls its address")
    hint = _("The address is shown here once the workflow is saved.")
    icon = "webhook"
    event = events.WEBHOOK


@trigger
class Manual(Direct):
    """Somebody starts it for a contact, and nothing else does."""

    type = "manual"
    label = _("Somebody starts it")
    hint = _("Somebody, or a program over the API, lets a contact in.")
    icon = "touch_app"
    event = events.MANUAL
