"""The query parameters of the lists of activities, bookings and reservations."""

from __future__ import annotations

from typing import Any

from contacts.models import Contact
from crm.api.filters import DateRange, FilterSet, NumberRange, ReferenceFilter, TextFilter
from organisations.querysets import TenantQuerySet


class OfContact(FilterSet):
    """Lists that can be narrowed to a contact; a merged one's id means its survivor."""

    contact = ReferenceFilter("contacts", method="of_contact")

    def of_contact(self, rows: TenantQuerySet[Any], _name: str, pk: int) -> TenantQuerySet[Any]:
        """Those of this contact."""
        organisation = self.request.organisation
        contacts = Contact.objects.for_organisation(organisation)
        try:
            return rows.filter(contact=contacts.resolve(pk))
        except Contact.DoesNotExist:
            return rows.none()


# What a list's order does not serve; `type` alone has an index in that order.
_ANYWHERE = frozenset({"spend", "source", "currencyCode"})


class TimelineFilterSet(FilterSet):
    """Which of a contact's activities to list."""

    type = TextFilter(repeatable=True)
    source = TextFilter()
    external_reference = TextFilter()
    currency_code = TextFilter()
    happened_at = DateRange()
    created_at = DateRange()
    updated_at = DateRange()
    spend = NumberRange()

    @property
    def qs(self) -> Any:
        """The rows that fit. Raises BadQuery."""
        rows: Any = super().qs
        given = {name.partition("[")[0]: name for name in self.data or ()}
        written = given.get("updatedAt") or given.get("createdAt")
        if written is not None:
            # The last ones written have the highest ids.
            return rows.by_id_when_few("pk" if "before" in written else "-pk")
        types = len([*self.data.getlist("type"), *self.data.getlist("type[]")]) if given else 0
        if types < 2 and _ANYWHERE.isdisjoint(given) and not {"type", "contact"} <= given.keys():
            return rows
        return rows.by_id_when_few(in_order=types == 1 or "contact" in given)


class ActivityFilterSet(OfContact, TimelineFilterSet):
    """Which activities to list."""


class BookingFilterSet(OfContact):
    """Which bookings to list."""

    status = TextFilter(repeatable=True)
    external_reference = TextFilter()
    check_in = DateRange()
    check_out = DateRange()
    created_at = DateRange()
    updated_at = DateRange()


class ReservationFilterSet(OfContact):
    """Which golf or table reservations to list."""

    status = TextFilter(repeatable=True)
    origin_reference = TextFilter()
    start_time = DateRange()
    created_at = DateRange()
    updated_at = DateRange()
