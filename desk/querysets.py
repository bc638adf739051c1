"""Reading tasks and mentions."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Self

from django.db.models import F

from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from desk.models import Mention, Task  # noqa: F401


class TaskQuerySet(TenantQuerySet["Task"]):
    """Tasks, always of a named organisation."""

    def unfinished(self) -> Self:
        """Those still to be done."""
        return self.filter(done_at=None)

    def of(self, user: User) -> Self:
        """This member's own."""
        return self.filter(assignee=user.pk)

    def given_by(self, user: User) -> Self:
        """What this member gave to others, or to anybody."""
        return self.filter(author=user.pk).exclude(assignee=user.pk)

    def due_by(self, day: date) -> Self:
        """Those of that day and the days before it."""
        return self.filter(due_on__lte=day)

    def soonest_first(self) -> Self:
        """In the order in which they are to be done; those of no day last."""
        return self.order_by(
            F("due_on").asc(nulls_last=True), F("due_time").asc(nulls_last=True), "pk"
        )


class MentionQuerySet(TenantQuerySet["Mention"]):
    """Mentions, always of a named organisation."""

    def of(self, user: User) -> Self:
        """The notes that name this member."""
        return self.filter(user=user.pk)

    def unread(self) -> Self:
        return self.filter(read_at=None)

    def read(self) -> Self:
        return self.filter(read_at__isnull=False)
