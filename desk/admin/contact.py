"""Notes and tasks on a contact's page."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from contacts.admin import panels
from contacts.admin.panels import Composer, ContactPanel
from contacts.models import Contact
from desk.admin import mentions, notes, tasks


class DeskPanel(ContactPanel):
    """Open tasks and pinned notes on top, and what writes more of them."""

    name = "desk"
    position = 22  # what is booked comes before what is to be done
    stylesheets = ("regulars/desk.css",)

    def now(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        return format_html(
            "{}{}", tasks.open_tasks(request, contact), notes.pinned(request, contact)
        )

    def composers(self, request: HttpRequest, contact: Contact) -> Sequence[Composer]:
        found = []
        if request.user.has_perm("desk.add_note"):
            found.append(
                Composer(
                    name="note",
                    label=_("Note"),
                    icon="sticky_note_2",
                    form=notes.NoteForm(),
                    url=reverse("admin:desk_note_add", args=[contact.pk]),
                    submit=_("Add the note"),
                    position=1,
                    media=mentions.media(request),
                )
            )
        if request.user.has_perm("desk.add_task"):
            found.append(
                Composer(
                    name="task",
                    label=_("Task"),
                    icon="task_alt",
                    form=tasks.QuickTask(request),
                    url=reverse("admin:desk_task_about", args=[contact.pk]),
                    submit=_("Add the task"),
                    position=2,
                )
            )
        return found

    def erased(self, contact: Contact) -> Sequence[str]:
        return [_("Erased: what staff wrote in notes and tasks. Open tasks end.")]

    def deleted(self, contact: Contact) -> Sequence[str]:
        return [_("Notes and tasks are deleted.")]


panels.register(DeskPanel())
