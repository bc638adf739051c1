"""What a key's scopes, or the role of a member of staff, allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from crm.api import scopes

if TYPE_CHECKING:
    from crm.api.views import ApiView

_VERBS = {"GET": "view", "HEAD": "view", "POST": "add", "PUT": "change", "PATCH": "change"}


def needed_scope(view: ApiView, method: str) -> str:
    """The scope for this method: the view's own for reading, or for writing."""
    return f"{view.scope}:{'read' if method in SAFE_METHODS else 'write'}"


def check(view: ApiView, request: Request) -> None:
    """Raise NotAuthenticated or PermissionDenied unless the request may be done."""
    method = request.method or ""
    if view.key is not None:
        needed = needed_scope(view, method)
        if not scopes.allows(view.key.scopes, needed):
            raise PermissionDenied(_("This API key lacks the scope %s.") % needed)
        return
    if not request.user or not request.user.is_authenticated:
        raise NotAuthenticated(_("Send your API key in the header x-api-key."))
    if not request.user.has_perms(view.staff_permissions(method)):
        raise PermissionDenied(_("Your role does not allow this."))


def of_model(app_label: str, model_name: str, method: str) -> tuple[str, ...]:
    """Django's permission for a method on a model: `contacts.change_contact` for PATCH."""
    return (f"{app_label}.{_VERBS.get(method, 'delete')}_{model_name}",)
