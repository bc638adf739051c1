"""Connections to other systems, what came from them, and whom and what they know by which id."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.crypto import get_random_string
from django.utils.translation import gettext_lazy as _

from activities.models import Activity
from contacts.models import Contact
from integrations.querysets import DeliveryQuerySet
from integrations.secrets import EncryptedField, Unreadable, opened
from organisations.models import TenantModel


def new_token() -> str:
    """The last part of a connection's address: for sources that sign nothing it is the secret."""
    return get_random_string(40)


def digest(token: str) -> str:
    """By what a token is looked up."""
    return hashlib.sha256(token.encode()).hexdigest()


class Connection(TenantModel):
    """One account at another system: a Shopify shop, a Mews property.

    `namespace` (`shopify:example.myshopify.com`) is the `source` of its activities and of its
    external ids. `credentials` and `token` are encrypted. `cursor` is how far polling has come.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        DISABLED = "disabled", _("Disabled")

    source = models.CharField(_("source"), max_length=40)
    name = models.CharField(_("name"), max_length=200)
    namespace = models.CharField(_("account"), max_length=100)
    token = EncryptedField(editable=False)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    credentials = EncryptedField(default=dict)
    options = models.JSONField(_("options"), default=dict, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE
    )
    status_reason = models.TextField(_("why"), blank=True, default="")
    cursor = models.JSONField(default=dict, blank=True, editable=False)
    poll_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    polled_at = models.DateTimeField(_("last asked"), null=True, blank=True, editable=False)
    poll_error = models.TextField(_("error when asking"), blank=True, default="", editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "namespace"],
                name="connection_once",
                violation_error_message=_("This account is connected already."),
            )
        ]
        indexes = [
            # What the worker has to ask next.
            models.Index(
                fields=["poll_due_at"],
                name="connection_poll",
                condition=Q(poll_due_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> dict[str, Any]:
        """The credentials, readable. Raises `integrations.secrets.Unreadable`."""
        return dict(opened(self.credentials) or {})

    @property
    def known_secrets(self) -> dict[str, Any]:
        """The credentials; none when the key that they were encrypted with is lost."""
        try:
            return self.secrets
        except Unreadable:
            return {}

    @property
    def path(self) -> str:
        """The address to enter at the other system, without the site's own part."""
        return f"/integrations/{self.source}/{opened(self.token)}"


OPEN = ("received", "waiting", "failed", "refused")
"""The statuses of what is still to be applied, or that somebody should look at: few among many."""


class Delivery(TenantModel):
    """Something that another system told us: a request to a connection's address.

    `key` tells the same delivery sent twice. `body` is what the source's `clean` left of it: no
    secrets, no payment details. `verdict` is how it was known to be genuine. `due_at` is when a
    worker is to apply it, null when there is nothing to do. A delivery that speaks of what is not
    here yet (a refund whose order has not come) `waits_for` that.
    """

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        WAITING = "waiting", _("Waiting")
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Ignored")
        FAILED = "failed", _("Failed")
        REFUSED = "refused", _("Refused")

    connection = models.ForeignKey(
        Connection,
        models.CASCADE,
        related_name="deliveries",
        db_index=False,
        verbose_name=_("connection"),
    )
    key = models.CharField(max_length=200)
    topic = models.CharField(_("topic"), max_length=100, blank=True, default="")
    headers = models.JSONField(_("headers"), default=dict)
    body = models.TextField(_("body"), blank=True, default="")
    verdict = models.CharField(_("verdict"), max_length=200, blank=True, default="")
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.RECEIVED
    )
    waits_for = models.CharField(_("waits for"), max_length=250, null=True, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    notes = models.JSONField(_("notes"), default=list, blank=True)
    error = models.TextField(_("error"), blank=True, default="")
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)

    objects: ClassVar = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-received_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="delivery_once")]
        indexes = [
            # What a worker takes next.
            models.Index(
                fields=["due_at", "id"], name="delivery_due", condition=Q(due_at__isnull=False)
            ),
            # How many of a connection are to be applied.
            models.Index(
                fields=["connection"],
                name="delivery_to_apply",
                condition=Q(due_at__isnull=False),
            ),
            # The inbox, newest first; and of one connection.
            models.Index(fields=["organisation", "-received_at", "-id"], name="delivery_newest"),
            models.Index(fields=["connection", "-received_at", "-id"], name="delivery_of"),
            # The inbox by one of these statuses, among the many that are not; and of one topic.
            models.Index(
                fields=["organisation", "status", "-received_at", "-id"],
                name="delivery_open",
                condition=Q(status__in=OPEN),
            ),
            models.Index(
                fields=["organisation", "topic", "-received_at", "-id"], name="delivery_topic"
            ),
            # Who waits for what just came.
            models.Index(
                fields=["connection", "waits_for"],
                name="delivery_waiting",
                condition=Q(waits_for__isnull=False),
            ),
            # Pruning.
            models.Index(fields=["received_at"], name="delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.topic or self.connection.source} · {self.received_at:%Y-%m-%d %H:%M}"


class DeliveryTrace(models.Model):
    """A contact, and perhaps an activity, that a delivery made or changed."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="traces")
    contact = models.ForeignKey(Contact, models.CASCADE, related_name="+")
    activity = models.ForeignKey(Activity, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.delivery_id} · {self.contact_id}"


class ExternalId(TenantModel):
    """The id by which another system knows a contact. Several may mean the same one.

    `email` is an address that must not identify: a relay of a booking site.
    """

    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="external_ids", verbose_name=_("contact")
    )
    source = models.CharField(_("source"), max_length=100)
    external_id = models.CharField(_("id there"), max_length=200)
    email = models.CharField(_("address there"), max_length=254, blank=True, default="")
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("external id")
        verbose_name_plural = _("external ids")
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "source", "external_id"], name="external_id_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"


class ObjectState(TenantModel):
    """The newest that we know of something at another system: an order, a customer, a stay.

    `version` is what orders its states (a time in microseconds, or a number): an older one is not
    applied over a newer one. `facts` are the activities that it stands for (`type`, `reference`,
    `spend`). While `counts` is false (a cancelled order) neither its own spend nor that of what
    hangs on it (its refunds) is counted. `fields` has, for a person, the version of each value
    that was told, and for other things that of each part. `person` is whose it was; of a person,
    the id of the one that it was merged into. What is `gone` does not come back.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=30)
    external_id = models.CharField(max_length=200)
    version = models.BigIntegerField(null=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")
    person = models.CharField(max_length=200, blank=True, default="")
    facts = models.JSONField(default=list)
    fields = models.JSONField(default=dict)
    counts = models.BooleanField(default=True)
    gone = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "external_id"], name="object_state_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.external_id}"

    @property
    def known(self) -> bool:
        """Whether anything was ever told of it: the row may have been made to be locked."""
        return self.version is not None or self.gone or bool(self.facts) or bool(self.fields)


import integrations.outgoing.models  # noqa: E402, F401
