"""The desk: what staff see of everything, and what they write down themselves."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DeskConfig(AppConfig):
    """Above every other app, for it shows what they all know."""

    name = "desk"
    verbose_name = _("Desk")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what hangs on a contact, and the worker's share."""
        from contacts import parts
        from desk import housekeeping  # noqa: F401
        from desk.dashboard import housekeeping as dashboard  # noqa: F401
        from desk.part import DeskPart

        parts.register(DeskPart())
