"""Which address answers what."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from contacts.unsubscribing import unsubscribe
from crm.api.docs import DocsView, schema
from integrations import inbox
from workflows import hooks

# Each app's urls.py names its resources, without a trailing slash (crm.api.middleware).
API = [
    path("", include(f"{app}.urls"))
    for app in (
        "organisations",
        "contacts",
        "customfields",
        "activities",
        "rewards",
        "workflows",
        "integrations",
    )
    if find_spec(f"{app}.urls")
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("unsubscribe/<str:token>", unsubscribe, name="unsubscribe"),
    path("hooks/workflows/<str:secret>", hooks.start, name="workflow-hook"),
    path("integrations/<str:source>/<str:token>", inbox.receive, name="inbox"),
    path("integrations/<str:source>/<str:token>/<path:rest>", inbox.receive),
    path("api/schema", schema, name="schema"),
    path("api/docs", DocsView.as_view(), name="docs"),
    path("api/", include(API)),
]
