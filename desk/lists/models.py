"""Saved views of lists."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from organisations.models import TenantModel
from organisations.querysets import TenantQuerySet


class SavedViewQuerySet(TenantQuerySet["SavedView"]):
    """Views, always of a named organisation."""

    def for_user(self, user: AbstractBaseUser | Any) -> QuerySet[SavedView]:
        """Those that this member of staff sees: their own, and the shared ones."""
        return self.filter(Q(owner=user) | Q(shared=True))


class SavedView(TenantModel):
    """A list as somebody wants to see it again: its address, under a name.

    `query` is the part of the address after the `?`, with filters, search, order and columns, as
    `services.normal` leaves it. Its owner sees it, and with `shared` everybody does.
    """

    screen = models.CharField(max_length=60, editable=False)
    """The list, such as `contacts.contact`."""
    name = models.CharField(_("name"), max_length=80)
    query = models.TextField(_("filters, order and columns"), blank=True, default="")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="+",
        editable=False,
        verbose_name=_("whose"),
    )
    shared = models.BooleanField(_("shared with everybody"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "id"]
        permissions = [("share_savedview", "Can share saved views with everybody")]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "screen", "owner", "name"],
                name="saved_view_once",
            )
        ]

    def __str__(self) -> str:
        return self.name
