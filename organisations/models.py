"""The tenant: organisations, the staff who work in them, and the API keys that speak for them."""

from __future__ import annotations

import hashlib
import zoneinfo
from functools import cache
from typing import Any

from babel.numbers import list_currencies
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.crypto import get_random_string
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from organisations.querysets import TenantQuerySet

CURRENCIES = list_currencies()


@cache
def available_timezones() -> frozenset[str]:
    """Every IANA name. Kept, because reading the directory takes 20 ms."""
    return frozenset(zoneinfo.available_timezones())


def validate_timezone(value: str) -> None:
    """An IANA name, such as `Europe/London`."""
    if value not in available_timezones():
        raise ValidationError(
            _("%(value)s is not an IANA time zone, such as Europe/London."),
            code="invalid_timezone",
            params={"value": value},
        )


def validate_currency(value: str) -> None:
    """An ISO 4217 code, such as `GBP`."""
    if value not in CURRENCIES:
        raise ValidationError(
            _("%(value)s is not an ISO 4217 currency code, such as GBP."),
            code="invalid_currency",
            params={"value": value},
        )


def validate_country(value: str) -> None:
    """An ISO 3166-1 alpha-2 code, such as `GB`."""
    if value not in SUPPORTED_REGIONS:
        raise ValidationError(
            _("%(value)s is not an ISO 3166-1 country code, such as GB."),
            code="invalid_country",
            params={"value": value},
        )


def new_hash_id() -> str:
    """A public name for an organisation that tells nothing of how many there are."""
    return get_random_string(12)


class Organisation(models.Model):
    """A business with its own contacts. Nothing is shared between two of them."""

    class Status(models.TextChoices):
        ACTIVE = "Active", _("Active")
        SUSPENDED = "Suspended", _("Suspended")

    name = models.CharField(_("name"), max_length=200)
    hash_id = models.CharField(
        _("public id"), max_length=20, unique=True, default=new_hash_id, editable=False
    )
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=Status.choices,
        default=Status.ACTIVE,
        help_text=_("A suspended organisation's API keys are refused."),
    )
    currency_code = models.CharField(
        _("currency"),
        max_length=3,
        default="GBP",
        validators=[validate_currency],
        help_text=_("ISO 4217. Total spend is counted in it; fixed once there are contacts."),
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        default="GB",
        validators=[validate_country],
        help_text=_("ISO 3166-1. Says how to read a phone number without a country code."),
    )
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        default="Europe/London",
        validators=[validate_timezone],
    )
    # Who wants to hear of what, such as {"workflows": ["tag_added"]}: whoever writes something has
    # the organisation at hand, so "does anybody care" costs no query (`services.set_listening`).
    listens_to = models.JSONField(default=dict, editable=False)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        through="Membership",
        related_name="organisations",
        verbose_name=_("staff"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def listened_by(self, owner: str) -> frozenset[str]:
        """What `owner` ("workflows", "webhooks", …) wants to hear of."""
        return frozenset(self.listens_to.get(owner, ()))

    def clean(self) -> None:
        """Total spend is counted in the currency, so it is fixed once there are contacts."""
        if self.pk is None:
            return
        before = Organisation.objects.values_list("currency_code", flat=True).get(pk=self.pk)
        # By name, because `contacts` imports this module.
        contacts = apps.get_model("contacts", "Contact").objects
        if before != self.currency_code and contacts.filter(organisation=self).exists():
            raise ValidationError(
                {
                    "currency_code": ValidationError(
                        _("The currency is fixed once there are contacts: totals are kept in it."),
                        code="fixed",
                    )
                }
            )


def languages() -> list[tuple[str, str]]:
    """What staff may read. A function, so that a new language needs no migration."""
    return list(settings.LANGUAGES)


class Preferences(models.Model):
    """What a member of staff chose for themselves, in whichever organisation they work."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preferences"
    )
    language = models.CharField(
        _("language"), max_length=10, choices=languages, blank=True, default=""
    )

    class Meta:
        verbose_name = _("preferences")
        verbose_name_plural = _("preferences")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user_id}: {self.language or '-'}"


def preferences_of(user: Any) -> Preferences:
    """Those of `user`; nothing chosen when there are none. No query for who is signed in."""
    kept: Preferences | None = getattr(user, "preferences", None)
    return kept or Preferences(user=user)


class TenantModel(models.Model):
    """A row that belongs to one organisation; reads must say which (see `TenantQuerySet`)."""

    organisation = models.ForeignKey(
        Organisation,
        models.CASCADE,
        related_name="+",
        # Each table's own indexes begin with it; one on it alone would only cost.
        db_index=False,
        verbose_name=_("organisation"),
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True


class Membership(TenantModel):
    """A member of staff in an organisation, and their role there (a Django group)."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="memberships",
        verbose_name=_("user"),
    )
    role = models.ForeignKey(
        Group, models.PROTECT, related_name="memberships", verbose_name=_("role")
    )
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("member of staff")
        verbose_name_plural = _("staff")
        constraints = [
            models.UniqueConstraint(fields=["organisation", "user"], name="membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


def digest(secret: str) -> str:
    """How a key is stored. A fast hash is right for 190 random bits; a slow one would be paid for
    at every request."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKey(TenantModel):
    """A key that speaks for an organisation over the API; stored hashed, shown once.

    `scopes` lists what it may do (`contacts:read`, `activities:write`, …); `["all"]` is everything.
    """

    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(
        _("begins with"),
        max_length=12,
        editable=False,
        help_text=_("To tell keys apart."),
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


lower_snake = RegexValidator(
    r"^[a-z][a-z0-9_]*$",
    _("Use small letters, digits and underscores, starting with a letter."),
)
