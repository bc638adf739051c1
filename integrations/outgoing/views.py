"""Webhook endpoints and what they were told, over the API."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from crm.api.viewsets import OrganisationViewSet
from crm.errors import Conflict
from integrations.outgoing import services
from integrations.outgoing.filtersets import WebhookDeliveryFilterSet, WebhookEndpointFilterSet
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing.serializers import (
    ReplayedSerializer,
    ReplaySerializer,
    SecretWebhookEndpointSerializer,
    WebhookDeliverySerializer,
    WebhookEndpointSerializer,
)

CHANGE = ["integrations.change_webhookendpoint"]


class WebhookEndpointViewSet(OrganisationViewSet[WebhookEndpoint]):
    """Addresses of other systems that are told what happens."""

    scope = "webhooks"
    queryset = WebhookEndpoint.objects.all()
    serializer_class = WebhookEndpointSerializer
    filterset_class = WebhookEndpointFilterSet
    orderings = {"createdAt": "created_at"}
    row_argument = "endpoint"
    create_with = staticmethod(services.create)
    update_with = staticmethod(services.change)
    delete_with = staticmethod(services.delete)
    staff_permission = {"rotate_secret": CHANGE, "replay": CHANGE}

    def get_object(self) -> WebhookEndpoint:
        endpoint = super().get_object()
        endpoint.organisation = self.organisation
        return endpoint

    def get_serializer_class(self) -> type[BaseSerializer[WebhookEndpoint]]:
        tells_secret = self.action in {"create", "rotate_secret"}
        return SecretWebhookEndpointSerializer if tells_secret else WebhookEndpointSerializer

    @property
    def with_etag(self) -> bool:  # type: ignore[override]  # an attribute elsewhere
        """What has the secret is told once: its tag would never fit again."""
        return self.get_serializer_class() is WebhookEndpointSerializer

    @extend_schema(request=None, responses=SecretWebhookEndpointSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: int) -> Response:
        """Give it a new secret. For 24 hours messages are signed with both."""
        return Response(self.represent(services.rotate_secret(endpoint=self.get_object())))

    @extend_schema(request=ReplaySerializer, responses=ReplayedSerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: int) -> Response:
        """Send the deliveries of a time again."""
        endpoint = self.get_object()
        body = ReplaySerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        rows = WebhookDelivery.objects.for_organisation(self.organisation)
        rows = rows.filter(status=wanted["status"], created_at__gte=wanted["since"])
        if wanted.get("until") is not None:
            rows = rows.filter(created_at__lte=wanted["until"])
        return Response({"replayed": services.replay(endpoint=endpoint, deliveries=rows)})


class WebhookDeliveryViewSet(OrganisationViewSet[WebhookDelivery]):
    """What an endpoint was told, or is to be told."""

    scope = "webhooks"
    queryset = WebhookDelivery.objects.select_related("message").prefetch_related("attempts")
    serializer_class = WebhookDeliverySerializer
    filterset_class = WebhookDeliveryFilterSet
    staff_permission = {"replay": CHANGE}

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        deliveries = super().get_queryset()
        pk = self.kwargs.get("endpoint")
        return deliveries if pk is None else deliveries.filter(endpoint=self._endpoint())

    def _endpoint(self) -> WebhookEndpoint:
        endpoints = WebhookEndpoint.objects.for_organisation(self.organisation)
        endpoint: WebhookEndpoint | None = endpoints.filter(pk=self.kwargs["endpoint"]).first()
        if endpoint is None:
            raise Http404
        endpoint.organisation = self.organisation
        return endpoint

    @extend_schema(request=None, responses=WebhookDeliverySerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, endpoint: int, pk: int) -> Response:
        """Send it again, under the same `webhook-id`."""
        delivery = self.get_object()
        rows = WebhookDelivery.objects.for_organisation(self.organisation).filter(pk=delivery.pk)
        if not services.replay(endpoint=self._endpoint(), deliveries=rows):
            raise Conflict(_("What it said was erased with the contact's data."), [delivery.pk])
        return Response(self.represent(self.get_object()))
