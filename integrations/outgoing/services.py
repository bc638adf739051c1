"""Writing endpoints, and having messages sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.services.locks import settling
from crm import outbound
from crm.errors import Conflict
from integrations.outgoing.messages import OWNER
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing.querysets import WebhookDeliveryQuerySet
from integrations.outgoing.types import EVENT_TYPES
from organisations.models import Organisation
from organisations.services import set_listening
from workflows import alerts, bell

Status = WebhookEndpoint.Status
CHANGEABLE = ("url", "description", "event_types", "filters", "status")
BOTH_SECRETS = timedelta(hours=24)
"""How long messages are signed with the former secret too."""


@settling
def create(
    *,
    organisation: Organisation,
    url: str,
    description: str = "",
    event_types: Sequence[str] = (),
    filters: Mapping[str, Sequence[Any]] | None = None,
    status: str = Status.ACTIVE,
) -> WebhookEndpoint:
    """A new endpoint, told of what happens from now on: of all `event_types` when none are given.

    Raises ValidationError by column.
    """
    endpoint = WebhookEndpoint(organisation=organisation, secret=outbound.new_secret())
    values = {
        "url": url,
        "description": description,
        "event_types": list(event_types),
        "filters": dict(filters or {}),
        "status": status,
    }
    return _write(endpoint, values)


@settling
def change(*, endpoint: WebhookEndpoint, values: Mapping[str, Any]) -> WebhookEndpoint:
    """Write some of `CHANGEABLE`; answers it as it is now. One that was disabled begins anew.

    Raises ValidationError by column.
    """
    return _write(_locked(endpoint), values)


@settling
def delete(*, endpoint: WebhookEndpoint) -> None:
    """Forget the endpoint, and what it was told."""
    current = _locked(endpoint)
    current.delete()
    _listen(current.organisation)


@settling
def rotate_secret(*, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Give it a new secret. For a day messages are signed with the one that it had, too."""
    current = _locked(endpoint)
    current.former_secret, current.secret = current.secret, outbound.new_secret()
    current.former_secret_until = timezone.now() + BOTH_SECRETS
    current.save()
    return current


@transaction.atomic
def disable(*, endpoint: WebhookEndpoint, reason: str) -> None:
    """Switch off an endpoint, locked by the caller, and tell staff. What was still to be sent to it
    has failed, and can be replayed once it is active again."""
    endpoint.status, endpoint.status_reason = Status.DISABLED, reason
    endpoint.save(update_fields=["status", "status_reason", "updated_at"])
    pending = endpoint.deliveries.filter(due_at__isnull=False)
    pending.update(
        status=WebhookDelivery.Status.FAILED,
        due_at=None,
        lease=None,
        leased_until=None,
        completed_at=timezone.now(),
        error=reason,
    )
    _listen(endpoint.organisation)
    alerts.tell(
        organisation=endpoint.organisation_id,
        text=_("The webhook %(endpoint)s is switched off. %(reason)s")
        % {"endpoint": endpoint, "reason": reason},
        link=_link(endpoint),
    )


@transaction.atomic
def replay(*, endpoint: WebhookEndpoint, deliveries: WebhookDeliveryQuerySet) -> int:
    """Send these deliveries of the endpoint again, under the same ids; answers how many. Those
    whose message was erased are left out. Raises Conflict when the endpoint is disabled."""
    if _locked(endpoint).status == Status.DISABLED:
        raise Conflict(_("This endpoint is disabled: set its status to active first."))
    count = (
        deliveries.filter(endpoint=endpoint)
        .exclude(message__body="")
        .update(
            status=WebhookDelivery.Status.PENDING,
            due_at=timezone.now(),
            tries=0,
            lease=None,
            leased_until=None,
            completed_at=None,
            error="",
        )
    )
    bell.ring_after_commit()
    return count


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.for_organisation(endpoint.organisation_id)
    current: WebhookEndpoint = rows.select_for_update().get(pk=endpoint.pk)
    current.organisation = endpoint.organisation
    return current


def _write(endpoint: WebhookEndpoint, values: Mapping[str, Any]) -> WebhookEndpoint:
    url, status = endpoint.url, endpoint.status
    for name in CHANGEABLE:
        if name in values:
            setattr(endpoint, name, values[name])
    _clean(endpoint, new_url=endpoint.url != url)
    if endpoint.status != status:
        endpoint.status_reason = ""
        endpoint.failing_since = endpoint.rests_until = None
        endpoint.failures_in_a_row = 0
    endpoint.save()
    _listen(endpoint.organisation)
    bell.ring_after_commit()
    return endpoint


def _clean(endpoint: WebhookEndpoint, *, new_url: bool) -> None:
    errors: dict[str, Any] = {}
    if new_url:
        try:
            endpoint.url = outbound.check_url(endpoint.url)
        except ValidationError as error:
            errors["url"] = error
    given = {*CHANGEABLE} - errors.keys()
    try:
        endpoint.clean_fields(exclude={one.name for one in endpoint._meta.fields} - given)
    except ValidationError as error:
        errors |= error.error_dict
    if errors:
        raise ValidationError(errors)


def _listen(organisation: Organisation) -> None:
    """Note with the organisation what its endpoints want to hear of now."""
    # Who changes another endpoint at this moment is waited for, and then seen.
    Organisation.objects.select_for_update(no_key=True).only("pk").get(pk=organisation.pk)
    endpoints = WebhookEndpoint.objects.for_organisation(organisation).listening()
    wanted = endpoints.values_list("event_types", flat=True)
    kinds = {type for types in wanted for type in (types or EVENT_TYPES)}
    set_listening(organisation=organisation, owner=OWNER, kinds=kinds)


def _link(endpoint: WebhookEndpoint) -> str:
    """The endpoint's page in the admin."""
    try:
        return reverse("admin:integrations_webhookendpoint_change", args=[endpoint.pk])
    except NoReverseMatch:
        return ""
