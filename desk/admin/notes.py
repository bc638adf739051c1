"""Notes on a contact's page: written, edited, pinned and deleted there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from contacts import timeline
from contacts.admin import composing, page
from contacts.models import Contact
from contacts.timeline import Cursor, Entry, TimelineSource
from crm.admin.site import PAGES
from desk import colleagues, services
from desk.models import Mention, Note
from organisations.middleware import organisation_of

MOST_PINNED = 10
MENTIONS = Prefetch("mentions", Mention.objects.across_organisations().select_related("user"))


class NoteForm(forms.Form):
    """A text. Whoever is named in it hears of it."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        # The service says what is wrong with it.
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "data-rg-mentions": ""}),
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, auto_id="note-%s", **kwargs)
        self.fields["text"].widget.attrs["placeholder"] = _(
            "What should colleagues know? @ names one of them."
        )


def writer(request: HttpRequest) -> User:
    """Who is signed in."""
    return cast(User, request.user)


def may_change(user: User, note: Note, action: str = "change") -> bool:
    """Whether somebody may edit or delete this note: their own, or any with the permission."""
    own = note.author_id == user.pk and user.has_perm("desk.add_note")
    return own or user.has_perm(f"desk.{action}_note")


def shown(request: HttpRequest, note: Note, *, place: str) -> SafeString:
    """The note's text, and what may be done with it. `place` tells it from the same note elsewhere
    on the page."""
    user = writer(request)
    named = [mention.user for mention in note.mentions.all()]
    open_ = note.contact.redacted_at is None
    return render_to_string(
        "admin/desk/note.html",
        {
            "note": note,
            "field_id": f"note-{note.pk}-{place}",
            "text": colleagues.as_html(note.text, named),
            "may_pin": open_ and user.has_perm("desk.add_note"),
            "may_edit": open_ and may_change(user, note),
            "may_delete": may_change(user, note, "delete"),
        },
        request,
    )


def rows_of(contact: Contact) -> Any:
    """The contact's notes with what is shown of them."""
    notes = Note.objects.for_organisation(contact.organisation_id).filter(contact=contact)
    return notes.select_related("author").prefetch_related(MENTIONS)


class Notes(TimelineSource):
    """What colleagues wrote down."""

    kind = "note"
    label = gettext_lazy("Notes")
    icon = "sticky_note_2"
    permission = "desk.view_note"
    position = 2

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        found = list(self.below(rows_of(contact), before, "created_at")[:limit])
        for note in found:
            note.contact = contact
        return [
            Entry(
                at=note.created_at,
                kind=self.kind,
                pk=note.pk,
                title=_("Note by %(name)s") % {"name": called(note.author)},
                detail=shown(request, note, place="past"),
            )
            for note in found
        ]


timeline.register(Notes())


def called(user: User | None) -> str:
    """What colleagues call somebody who may be gone."""
    return colleagues.called(user) if user is not None else _("a former colleague")


def pinned(request: HttpRequest, contact: Contact) -> SafeString | str:
    """The pinned notes, newest first. Two queries, one where there is none."""
    if not request.user.has_perm("desk.view_note"):
        return ""
    found = list(rows_of(contact).filter(pinned=True).order_by("-created_at")[:MOST_PINNED])
    for note in found:
        note.contact = contact
    lines = ((called(note.author), shown(request, note, place="top")) for note in found)
    return format_html_join(
        "",
        '<section class="rg-box rg-pinned"><h2><span class="material-symbols-outlined" '
        'aria-hidden="true">push_pin</span>{}</h2>{}</section>',
        lines,
    )


# The doors.


@require_POST
def add(request: HttpRequest, object_id: int) -> HttpResponse:
    """Write one about this contact."""
    contact = page.found(request, object_id)
    if not request.user.has_perm("desk.add_note"):
        raise PermissionDenied

    def write(given: Mapping[str, Any]) -> str:
        services.add_note(contact=contact, text=given["text"], by=writer(request))
        return _("The note is added.")

    form = NoteForm(request.POST)
    return composing.answer(request, back=_page_of(contact.pk), form=form, write=write)


@require_POST
def edit(request: HttpRequest, object_id: int) -> HttpResponse:
    """Write it anew."""
    note = _found(request, object_id)
    if not may_change(writer(request), note):
        raise PermissionDenied

    def write(given: Mapping[str, Any]) -> str:
        services.edit_note(note=note, text=given["text"], by=writer(request))
        return _("The note is changed.")

    form = NoteForm(request.POST)
    return composing.answer(request, back=_page_of(note.contact_id), form=form, write=write)


@require_POST
def pin(request: HttpRequest, object_id: int) -> HttpResponse:
    """Keep it on top (`pinned` is "yes"), or not any more."""
    note = _found(request, object_id)
    if not request.user.has_perm("desk.add_note"):
        raise PermissionDenied
    wanted = request.POST.get("pinned") == "yes"

    def write(_given: Mapping[str, Any]) -> str:
        services.pin_note(note=note, pinned=wanted)
        return _("The note is pinned.") if wanted else _("The note is not pinned any more.")

    return composing.answer(request, back=_page_of(note.contact_id), write=write)


@require_POST
def delete(request: HttpRequest, object_id: int) -> HttpResponse:
    """Delete it."""
    note = _found(request, object_id)
    if not may_change(writer(request), note, "delete"):
        raise PermissionDenied

    def write(_given: Mapping[str, Any]) -> str:
        services.delete_note(note=note)
        return _("The note is deleted.")

    return composing.answer(request, back=_page_of(note.contact_id), write=write)


def _found(request: HttpRequest, pk: int) -> Note:
    organisation = organisation_of(request)
    if organisation is None or pk >= 2**63 or not request.user.has_perm("desk.view_note"):
        raise Http404
    notes = Note.objects.for_organisation(organisation).select_related("contact")
    note = notes.filter(pk=pk).first()
    if note is None:
        raise Http404
    note.contact.organisation = organisation
    return note


def _page_of(contact_id: int) -> str:
    return reverse("admin:contacts_contact_change", args=[contact_id])


PAGES.append(
    lambda site: [
        path("notes/about/<int:object_id>/", site.admin_view(add), name="desk_note_add"),
        path("notes/<int:object_id>/", site.admin_view(edit), name="desk_note_edit"),
        path("notes/<int:object_id>/pin/", site.admin_view(pin), name="desk_note_pin"),
        path("notes/<int:object_id>/delete/", site.admin_view(delete), name="desk_note_delete"),
    ]
)
