"""What is done to many chosen contacts at once: each asks first and says what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from contacts import services
from contacts.admin.panels import PANELS
from contacts.models import Contact, ContactTag, Tag
from contacts.querysets import ContactQuerySet
from crm.admin.base import counted
from crm.admin.forms import Refused
from crm.admin.widgets import Autocomplete
from crm.errors import Conflict
from organisations.middleware import organisation_of

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin

MAX_DELETED = 1_000
_NAMED = 20


class TagForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Tag"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "known-tags", "autocomplete": "off"}),
        help_text=gettext_lazy("One that is there, or a new one."),
    )


class UntagForm(forms.Form):
    tag = forms.ModelChoiceField(
        label=gettext_lazy("Tag"),
        queryset=Tag.objects.none(),
        widget=Autocomplete(ContactTag._meta.get_field("tag"), admin.site),
    )


def _refuse(form: forms.Form, field: str, error: ValidationError | Conflict) -> None:
    for lines in Refused(error).by_path.values():
        form.add_error(field, lines)


def _names(contacts: ContactQuerySet, count: int) -> list[str]:
    """The first of them by name, and how many more."""
    lines = [str(contact) for contact in contacts[:_NAMED]]
    if count > _NAMED:
        lines.append(_("and %(number)s more") % {"number": f"{count - _NAMED:,}"})
    return lines


def tag(
    screen: ContactAdmin, request: HttpRequest, contacts: ContactQuerySet
) -> HttpResponse | None:
    """Ask which tag, then put it on them."""
    count = screen.chosen(request, contacts)
    if count is None:
        return None
    form = TagForm(request.POST if screen.confirmed(request) else None)
    if form.is_valid():
        try:
            added = services.tag(contacts=contacts, name=form.cleaned_data["name"])
        except (ValidationError, Conflict) as error:
            _refuse(form, "name", error)
        else:
            message = ngettext(
                "%(added)s contact now carries %(tag)s; %(rest)s did already.",
                "%(added)s contacts now carry %(tag)s; %(rest)s did already.",
                added,
            )
            messages.success(
                request,
                message
                % {"added": f"{added:,}", "tag": form.cleaned_data["name"], "rest": count - added},
            )
            return None
    organisation = organisation_of(request)
    assert organisation is not None
    known = Tag.objects.for_organisation(organisation).filter(kind=Tag.Kind.MANUAL)
    return screen.ask(
        request,
        title=_("Tag %(contacts)s") % {"contacts": counted(count, Contact)},
        notes=_names(contacts, count),
        form=form,
        confirm=_("Tag"),
        back=request.get_full_path(),
        context={"known_tags": known.values_list("name", flat=True)[:500]},
        template="admin/contacts/tag.html",
    )


def untag(
    screen: ContactAdmin, request: HttpRequest, contacts: ContactQuerySet
) -> HttpResponse | None:
    """Ask which tag, then take it off them."""
    count = screen.chosen(request, contacts)
    if count is None:
        return None
    organisation = organisation_of(request)
    assert organisation is not None
    form = UntagForm(request.POST if screen.confirmed(request) else None)
    field: Any = form.fields["tag"]
    field.queryset = Tag.objects.for_organisation(organisation)
    if form.is_valid():
        name = form.cleaned_data["tag"].name
        try:
            removed = services.untag(contacts=contacts, name=name)
        except (ValidationError, Conflict) as error:
            _refuse(form, "tag", error)
        else:
            message = ngettext(
                "%(tag)s is off %(removed)s contact.",
                "%(tag)s is off %(removed)s contacts.",
                removed,
            )
            messages.success(request, message % {"tag": name, "removed": f"{removed:,}"})
            return None
    return screen.ask(
        request,
        title=_("Take a tag off %(contacts)s") % {"contacts": counted(count, Contact)},
        notes=_names(contacts, count),
        form=form,
        confirm=_("Untag"),
        back=request.get_full_path(),
    )


def merge(
    screen: ContactAdmin, request: HttpRequest, contacts: ContactQuerySet
) -> HttpResponse | None:
    """On to the preview of the merge of exactly two; the older one is proposed to stay."""
    ids = sorted(contacts.order_by("pk").values_list("pk", flat=True)[:3])
    if len(ids) != 2:
        messages.error(request, _("Choose exactly two contacts to merge."))
        return None
    address = screen.url("merge_with", ids[0])
    return HttpResponseRedirect(f"{address}?with={ids[1]}")


def delete(
    screen: ContactAdmin, request: HttpRequest, contacts: ContactQuerySet
) -> HttpResponse | None:
    """Ask, then delete them one by one, all that goes with them included."""
    count = contacts.order_by()[: MAX_DELETED + 1].count()
    if count > MAX_DELETED:
        messages.error(
            request,
            _("At most %(number)s contacts are deleted at once.") % {"number": f"{MAX_DELETED:,}"},
        )
        return None
    if not screen.confirmed(request):
        return screen.ask(
            request,
            title=_("Delete %(contacts)s?") % {"contacts": counted(count, Contact)},
            notes=[
                *_names(contacts, count),
                *dict.fromkeys(
                    line for panel in PANELS for one in contacts[:1] for line in panel.deleted(one)
                ),
                _("This cannot be undone."),
            ],
            confirm=_("Delete"),
            danger=True,
            back=request.get_full_path(),
        )
    screen.log_deletions(request, contacts)
    deleted = 0
    for contact in list(contacts):
        try:
            services.delete(contact=contact)
        except (ValidationError, Conflict) as error:
            screen.tell(request, Refused(error))
        else:
            deleted += 1
    message = ngettext(
        "%(number)s contact is deleted.", "%(number)s contacts are deleted.", deleted
    )
    messages.success(request, message % {"number": f"{deleted:,}"})
    return None
