"""Addresses of the API that are the organisation's."""

from __future__ import annotations

from django.urls import path

from organisations.views import OrganisationView

urlpatterns = [path("organisation", OrganisationView.as_view(), name="organisation")]
