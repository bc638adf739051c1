"""Who may do what: the permissions of a role, in one organisation at a time."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import QuerySet


class RoleBackend(ModelBackend):
    """Signs staff in by user name and password, and answers what they may do.

    That is what their role in the organisation they are working in may do (`active_role_id`, which
    `organisations.middleware` sets), and nothing else: without a membership there is no permission,
    whatever groups or permissions were put on the user. Superusers may do everything.
    """

    def get_user(self, user_id: Any) -> Any:
        """Django's, and in the same query what the user prefers, which every page asks."""
        users: Any = get_user_model()._default_manager.select_related("preferences")
        user = users.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    def _get_user_permissions(self, user_obj: Any) -> QuerySet[Permission]:
        return Permission.objects.none()

    def _get_group_permissions(self, user_obj: Any) -> QuerySet[Permission]:
        role_id = getattr(user_obj, "active_role_id", None)
        if role_id is None:
            return Permission.objects.none()
        return Permission.objects.filter(group=role_id)
