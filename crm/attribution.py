"""Columns that say who did it, filled by themselves (`crm.actors`)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm import actors


def kind() -> str:
    """Of whoever is writing."""
    return str(actors.current().kind)


def row_id() -> int | None:
    """Of whoever is writing."""
    return actors.current().id


def name() -> str:
    """Of whoever is writing, as far as there is room."""
    return actors.current().name[: actors.LONGEST_NAME]


class Attributed(models.Model):
    """A row that knows who made it: whoever is writing at the moment it is made."""

    actor_kind = models.CharField(
        _("who"), max_length=12, choices=actors.Kind.choices, default=kind, editable=False
    )
    actor_id = models.BigIntegerField(null=True, default=row_id, editable=False)
    actor_name = models.CharField(
        max_length=actors.LONGEST_NAME, blank=True, default=name, editable=False
    )

    class Meta:
        abstract = True

    @property
    def actor(self) -> actors.Actor:
        """Who made it."""
        return actors.Actor(self.actor_kind, self.actor_id, self.actor_name)
