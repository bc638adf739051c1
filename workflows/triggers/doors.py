"""What people and other systems start directly."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from workflows import events
from workflows.triggers.base import Trigger, trigger


class Direct(Trigger):
    """One that needs nobody to tell it."""

    def listens(self, data: object) -> list[str]:
        return []


@trigger
class Webhook(Direct):
    """Another system calls the workflow's own address (`workflows.hooks`)."""

    type = "webhook"
    label = _("Another system calls its address")
    event = events.WEBHOOK


@trigger
class Manual(Direct):
    """Somebody starts it for a contact, and nothing else does."""

    type = "manual"
    label = _("Somebody starts it")
    event = events.MANUAL
