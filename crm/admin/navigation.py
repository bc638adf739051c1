"""The admin's menu: one entry per screen, shown to whoever may view it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

MENU: list[tuple[Any, list[tuple[Any, str, str]]]] = [
    (
        _("People"),
        [
            (_("Contacts"), "group", "contacts.contact"),
            (_("Possible duplicates"), "join", "contacts.duplicatepair"),
            (_("Tags"), "sell", "contacts.tag"),
            (_("Segments"), "target", "contacts.segment"),
            (_("Bulk changes"), "checklist", "desk.bulkjob"),
            (_("Credit"), "savings", "rewards.creditentry"),
            (_("Referral invites"), "share", "contacts.referralinvite"),
            (_("Tasks"), "task_alt", "desk.task"),
        ],
    ),
    (
        _("What happened"),
        [
            (_("Activities"), "timeline", "activities.activity"),
            (_("Bookings"), "hotel", "activities.booking"),
            (_("Table reservations"), "restaurant", "activities.tablereservation"),
            (_("Golf reservations"), "golf_course", "activities.golfreservation"),
        ],
    ),
    (
        _("What happens by itself"),
        [
            (_("Workflows"), "account_tree", "workflows.workflow"),
            (_("Runs"), "route", "workflows.run"),
            (_("Messages"), "mail", "workflows.message"),
            (_("Alerts"), "notifications", "workflows.alert"),
        ],
    ),
    (
        _("Set up"),
        [
            (_("Custom fields"), "edit_note", "customfields.customfield"),
            (_("Activity types"), "category", "activities.activitytype"),
            (_("Imports"), "upload_file", "imports.import"),
            (_("Message settings"), "tune", "workflows.messagesettings"),
        ],
    ),
    (
        _("Integrations"),
        [
            (_("Connections"), "cable", "integrations.connection"),
            (_("Inbox"), "inbox", "integrations.delivery"),
            (_("Webhooks"), "webhook", "integrations.webhookendpoint"),
        ],
    ),
    (
        _("Administration"),
        [
            (_("Organisation"), "domain", "organisations.organisation"),
            (_("Staff"), "badge", "organisations.membership"),
            (_("API keys"), "key", "organisations.apikey"),
            (_("Users"), "person", "auth.user"),
        ],
    ),
]


# Entries under Home: (request) → one, or None for whoever has no use for it. Apps add theirs when
# their `admin` module is read.
UNDER_HOME: list[Callable[[HttpRequest], dict[str, Any] | None]] = []


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    app, name = model.split(".")

    def allowed(request: HttpRequest) -> bool:
        return bool(request.user.has_perm(f"{app}.view_{name}"))

    return allowed


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's `SIDEBAR.navigation`."""
    home = {"title": _("Home"), "icon": "home", "link": reverse("admin:index")}
    own = [entry for make in UNDER_HOME if (entry := make(request)) is not None]
    groups: list[dict[str, Any]] = [{"title": None, "items": [home, *own]}]
    for title, entries in MENU:
        items = [
            {
                "title": name,
                "icon": icon,
                "link": reverse(f"admin:{model.replace('.', '_')}_changelist"),
                "permission": _may_view(model),
            }
            for name, icon, model in entries
            if apps.get_model(model) in admin.site._registry
        ]
        groups.append({"title": title, "separator": True, "items": items})
    return groups


def account(request: HttpRequest) -> list[dict[str, Any]]:
    """Unfold's `ACCOUNT.navigation`: under one's own name."""
    if not request.user.is_authenticated:  # the page to log in asks as well
        return []
    links = [{"title": _("Your name and language"), "link": reverse("admin:own_page")}]
    if request.user.has_usable_password():
        links.append({"title": _("Change password"), "link": reverse("admin:password_change")})
    return links
