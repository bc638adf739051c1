"""Activities on a contact's page: in the timeline, in its figures, and recorded there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from activities import services, types
from activities.forms import QuickForm
from activities.models import Activity, Booking, GolfReservation, TableReservation
from contacts import timeline
from contacts.admin import composing, page
from contacts.admin.panels import Composer, Figure
from contacts.models import Contact
from contacts.timeline import Cursor, Entry, TimelineSource
from crm import money

SOURCE = "admin"
COMING = 3
"""As many reservations are shown at once."""
_LONGEST_STAY = timedelta(days=90)
# Sources call it as they like.
_OFF = {"canceled", "cancelled", "declined", "no show", "no-show", "noshow"}
_ICONS = {
    "Booking": "hotel",
    "Checked in": "login",
    "Checked out": "logout",
    "Purchase": "shopping_bag",
    "Shopify order": "shopping_cart",
    "Refund": "currency_exchange",
    "Golf reservation": "golf_course",
    "Table reservation": "restaurant",
    "Connected to wifi": "wifi",
    "Login": "key",
}


class Activities(TimelineSource):
    """What happened between the contact and the business."""

    kind = "activity"
    label = gettext_lazy("Activities")
    icon = "bolt"
    permission = "activities.view_activity"
    position = 1

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        # A merge is told by the contact's history, with what came of it.
        told = contact.activities.exclude(type=types.CONTACT_MERGED_IN)
        rows = told.select_related("booking", "golf_reservation", "table_reservation")
        found = self.below(rows, before, "happened_at")[:limit]
        return [self._entry(activity) for activity in found]

    def _entry(self, activity: Activity) -> Entry:
        about = [*_reserved(activity), *_told(activity.data), activity.external_reference or ""]
        return Entry(
            at=activity.happened_at,
            kind=self.kind,
            pk=activity.pk,
            title=activity.type,
            icon=_ICONS.get(activity.type, ""),
            url=f"{reverse('admin:activities_activity_change', args=[activity.pk])}?back=contact",
            detail=" · ".join(one for one in about if one),
            amount=money.show(activity.spend, activity.currency_code) if activity.spend else "",
            by=activity.source,
        )


timeline.register(Activities())

_TELLING = ("property", "restaurant", "venue", "place", "revenueCentre", "items", "offer", "tier")
"""Keys of an activity's data that say where it was and what it was about."""
_MOST_ITEMS = 5
_MOST_TEXT = 80


def _told(data: dict[str, Any]) -> Iterator[str]:
    """What the data tells people; what else is in it stands on the activity's page."""
    for key in _TELLING:
        value = data.get(key)
        texts = [_called(one) for one in (value if isinstance(value, list) else [value])]
        named = [text for text in texts if text][:_MOST_ITEMS]
        yield Truncator(", ".join(named)).chars(_MOST_TEXT)


def _called(item: Any) -> str:
    """An item by its name: a text, or an object that has one."""
    name = item.get("name") or item.get("title") if isinstance(item, dict) else item
    return name if isinstance(name, str) else ""


def _reserved(activity: Activity) -> Iterator[str]:
    if activity.booking is not None:
        yield from _stay(activity.booking)
    if activity.golf_reservation is not None:
        yield from _tee_time(activity.golf_reservation)
    if activity.table_reservation is not None:
        yield from _table(activity.table_reservation)


def _stay(booking: Booking) -> Iterator[str]:
    days = [_day(one) for one in (booking.check_in, booking.check_out) if one is not None]
    yield " – ".join(days)
    yield booking.room_name or booking.room_type or ""
    yield _guests(booking.number_of_guests)
    yield booking.status


def _tee_time(golf: GolfReservation) -> Iterator[str]:
    yield _moment(golf.start_time)
    yield golf.course_name or ""
    yield golf.status


def _table(table: TableReservation) -> Iterator[str]:
    yield _moment(table.start_time)
    yield _guests(table.party_size)
    yield table.status


def _guests(number: int | None) -> str:
    if not number:
        return ""
    return ngettext("%(number)d guest", "%(number)d guests", number) % {"number": number}


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


def _moment(moment: datetime | None) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else ""


# The first and the latest time.


def visits(request: HttpRequest, contact: Contact) -> Sequence[Figure]:
    """When the contact was here first, and last. One query, by an index."""
    if not request.user.has_perm("activities.view_activity"):
        return ()
    oldest = contact.activities.exclude(type__in=types.SILENT).order_by("happened_at", "pk")
    first = oldest.values_list("happened_at", flat=True)[:1]
    return (
        Figure(_("First visit"), page.day(next(iter(first), None))),
        Figure(_("Last visit"), page.day(contact.rollup.last_interacted_at)),
    )


# What is still to come.


class Coming(NamedTuple):
    """A reservation that is not over yet."""

    at: datetime
    icon: str
    title: str
    detail: str
    url: str


def coming(request: HttpRequest, contact: Contact) -> SafeString | str:
    """The next stays, tables and tee times. Three queries, by indexes."""
    now = timezone.now()
    found = sorted([*_stays(request, contact, now), *_starts(request, contact, now)])[:COMING]
    if not found:
        return ""
    return render_to_string("admin/activities/coming.html", {"coming": found}, request)


def _stays(request: HttpRequest, contact: Contact, now: datetime) -> Iterator[Coming]:
    if not request.user.has_perm("activities.view_booking"):
        return
    bookings = Booking.objects.for_organisation(contact.organisation).filter(contact=contact)
    lately = bookings.filter(check_in__gte=now - _LONGEST_STAY).order_by("check_in", "pk")
    for booking in _on(lately.filter(Q(check_out__gte=now) | Q(check_in__gte=now))):
        assert booking.check_in is not None
        here = booking.check_in <= now
        title = (
            _("Is staying here until %(day)s") % {"day": _day(booking.check_out)}
            if here and booking.check_out is not None
            else _("Arrives on %(day)s") % {"day": _day(booking.check_in)}
        )
        yield _coming(booking, booking.check_in, "hotel", title, _stay(booking))


def _starts(request: HttpRequest, contact: Contact, now: datetime) -> Iterator[Coming]:
    for model, icon, title, told in (
        (TableReservation, "restaurant", _("Table on %(moment)s"), _table),
        (GolfReservation, "golf_course", _("Tee time on %(moment)s"), _tee_time),
    ):
        reservations: Any = model._default_manager
        if not request.user.has_perm(f"activities.view_{model._meta.model_name}"):
            continue
        theirs = reservations.for_organisation(contact.organisation).filter(contact=contact)
        ahead = theirs.filter(start_time__gte=now, cancelled_at=None)
        for one in _on(ahead.order_by("start_time", "pk")):
            said = title % {"moment": _moment(one.start_time)}
            yield _coming(one, one.start_time, icon, said, told(one))


def _on(reservations: Any) -> list[Any]:
    """The first few that were not called off."""
    return [one for one in reservations[:20] if one.status.lower() not in _OFF][:COMING]


def _coming(row: Any, at: datetime, icon: str, title: str, told: Iterator[str]) -> Coming:
    _when, *rest = told
    address = reverse(f"admin:activities_{row._meta.model_name}_change", args=[row.pk])
    return Coming(at, icon, title, " · ".join(one for one in rest if one), address)


# Recording one.


def composers(request: HttpRequest, contact: Contact) -> Sequence[Composer]:
    """The small form, for whoever may record activities. One query."""
    if not request.user.has_perm("activities.add_activity"):
        return ()
    whole = reverse("admin:activities_activity_add")
    return (
        Composer(
            name="activity",
            label=_("Activity"),
            icon="bolt",
            form=QuickForm(contact.organisation),
            url=reverse("admin:activities_activity_record", args=[contact.pk]),
            submit=_("Add the activity"),
            position=3,
            more=(_("All fields"), f"{whole}?contact={contact.pk}"),
        ),
    )


@require_POST
def record(request: HttpRequest, object_id: int) -> HttpResponse:
    """Record what the small form says."""
    contact = page.found(request, object_id)
    if not request.user.has_perm("activities.add_activity"):
        raise PermissionDenied

    def write(given: Mapping[str, Any]) -> str:
        services.record(
            organisation=contact.organisation,
            contact=contact.pk,
            type=given["type"],
            source=SOURCE,
            happened_at=given["happened_at"],
            spend=given["amount"],
        )
        return _("The activity is added.")

    return composing.answer(
        request,
        back=reverse("admin:contacts_contact_change", args=[contact.pk]),
        form=QuickForm(contact.organisation, request.POST),
        write=write,
        fields={"spend": "amount"},
    )
