"""What rules may ask of permissions: `contact.permissions.email`, `contact.permissions.sms`."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy

from contacts.models import ContactPermission
from contacts.rules import types
from contacts.rules.fields import Fixed, RowsColumn
from contacts.rules.subjects import Rows

GROUP = gettext_lazy("Permissions")


STATUSES = {value: str(label) for value, label in ContactPermission.Status.choices}


def _permission(channel: str, label: Any) -> RowsColumn:
    return RowsColumn(
        f"contact.permissions.{channel}",
        label,
        GROUP,
        types.Choice(STATUSES),
        loader=Rows(ContactPermission.objects.filter(channel=channel)),
        column="status",
        default=ContactPermission.Status.UNKNOWN.value,
    )


PERMISSIONS = Fixed([_permission(*channel) for channel in ContactPermission.Channel.choices])
