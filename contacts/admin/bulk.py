"""What is done to many chosen contacts at once: each asks first and says what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contacts import services
from contacts.admin.panels import PANELS
from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from crm.admin.base import counted
from crm.admin.forms import Refused
from crm.errors import Conflict

if TYPE_CHECKING:
    from contacts.admin.contacts import ContactAdmin

MAX_DELETED = 1_000
_NAMED = 20


def _names(contacts: ContactQuerySet, count: int) -> list[str]:
    """The first of them by name, and how many more."""
    lines = [str(contact) for contact in contacts[:_NAMED]]
    if count > _NAMED:
        lines.append(_("and %(number)s more") % {"number": f"{count - _NAMED:,}"})
    return lines


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
