"""Addresses of the API that are custom fields'."""

from __future__ import annotations

from django.urls import path

from crm.api.routers import Router
from customfields.views import ContactValuesView, ContactValueView, CustomFieldViewSet

router = Router()
router.register("custom-fields", CustomFieldViewSet, basename="custom-field")

urlpatterns = [
    *router.urls,
    path(
        "contacts/<id:pk>/custom-fields",
        ContactValuesView.as_view(),
        name="contact-custom-fields",
    ),
    path(
        "contacts/<id:pk>/custom-fields/<str:field>",
        ContactValueView.as_view(),
        name="contact-custom-field",
    ),
]
