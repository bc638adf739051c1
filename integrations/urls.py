"""Addresses of the API that are the integrations'."""

from __future__ import annotations

from crm.api.routers import Router
from integrations.outgoing.views import WebhookDeliveryViewSet, WebhookEndpointViewSet

router = Router()
router.register("webhook-endpoints", WebhookEndpointViewSet, basename="webhook-endpoint")
router.register(
    "webhook-endpoints/<id:endpoint>/deliveries",
    WebhookDeliveryViewSet,
    basename="webhook-delivery",
)

urlpatterns = router.urls
