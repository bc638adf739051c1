"""What each role may do in the organisation it is held in.

A role is a Django group whose permissions are written down here and synced after every `migrate`;
`organisations.backends.RoleBackend` gives a member of staff those of their role in the organisation
they are working in. To change what a role may do, change this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission
from django.utils.translation import gettext_lazy

OWNER = "Owner"
MANAGER = "Manager"
STAFF = "Staff"
READ_ONLY = "Read only"
# What a reader sees instead of the group's name.
LABELS = {
    OWNER: gettext_lazy("Owner"),
    MANAGER: gettext_lazy("Manager"),
    STAFF: gettext_lazy("Staff"),
    READ_ONLY: gettext_lazy("Read only"),
}


def _all(*models: str, actions: Iterable[str] = ("view", "add", "change", "delete")) -> set[str]:
    """`contacts.contact` → `contacts.view_contact`, …"""
    return {
        f"{app}.{action}_{model}"
        for app, model in (name.split(".") for name in models)
        for action in actions
    }


_READ_ONLY = _all(
    "contacts.contact",
    "contacts.duplicatepair",
    "contacts.tag",
    "contacts.referralinvite",
    "contacts.segment",
    "customfields.customfield",
    "activities.activity",
    "activities.activitytype",
    "activities.booking",
    "activities.golfreservation",
    "activities.tablereservation",
    "rewards.creditentry",
    "imports.import",
    "workflows.workflow",
    "workflows.run",
    "workflows.message",
    "workflows.alert",
    "integrations.connection",
    "integrations.delivery",
    "integrations.webhookendpoint",
    "integrations.webhookdelivery",
    "desk.note",
    "desk.task",
    "desk.bulkjob",
    actions=["view"],
) | _all("desk.savedview")  # everybody keeps views of their own
_STAFF = (
    _READ_ONLY
    | _all(
        "contacts.contact",
        "contacts.referralinvite",
        "activities.activity",
        "desk.task",
        actions=["add", "change"],
    )
    | _all(
        "activities.booking",
        "activities.golfreservation",
        "activities.tablereservation",
        actions=["change"],
    )
    # One's own notes may be changed and deleted by whoever may write any.
    | {"contacts.add_tag", "desk.add_note", "rewards.redeem_credit", "workflows.change_alert"}
)
_MANAGER = (
    _STAFF
    | _all(
        "contacts.contact",
        "contacts.tag",
        "contacts.referralinvite",
        "contacts.segment",
        "customfields.customfield",
        "activities.activity",
        "activities.activitytype",
        "imports.import",
        "workflows.workflow",
        "integrations.connection",
        "desk.note",
        "desk.task",
    )
    | _all("workflows.messagesettings", actions=["view", "add", "change"])
    | {
        "desk.share_savedview",
        "contacts.merge_contact",
        "contacts.redact_contact",
        "contacts.change_duplicatepair",
        "contacts.export_contact",
        "activities.export_activity",
        "integrations.change_delivery",
        "rewards.grant_credit",
        "organisations.view_membership",
        "organisations.view_organisation",
    }
)
_OWNER = (
    _MANAGER
    | _all("organisations.membership", "organisations.apikey", "integrations.webhookendpoint")
    | {"organisations.change_organisation"}
)

ROLES: dict[str, set[str]] = {
    OWNER: _OWNER,
    MANAGER: _MANAGER,
    STAFF: _STAFF,
    READ_ONLY: _READ_ONLY,
}


def sync(sender: AppConfig, **kwargs: Any) -> None:
    """Make the roles' permissions on the models of one app those of `ROLES`.

    A `post_migrate` receiver: Django makes an app's permissions there too, just before.
    """
    known = {
        f"{sender.label}.{permission.codename}": permission
        for permission in Permission.objects.filter(content_type__app_label=sender.label)
    }
    if not known:
        return
    for name, wanted in ROLES.items():
        role, _created = Group.objects.get_or_create(name=name)
        held = set(role.permissions.filter(content_type__app_label=sender.label))
        should = {permission for label, permission in known.items() if label in wanted}
        role.permissions.remove(*held - should)
        role.permissions.add(*should - held)
