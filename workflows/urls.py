"""Addresses of the API that are the workflows'."""

from __future__ import annotations

from crm.api.routers import Router
from workflows.views import RunViewSet, WorkflowViewSet

router = Router()
router.register("workflows", WorkflowViewSet, basename="workflow")
router.register("workflows/<id:workflow>/runs", RunViewSet, basename="workflow-run")

urlpatterns = router.urls
