"""Activities, their types, bookings and reservations in the admin; the timeline of a contact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from activities import contact_page, services, types
from activities.forms import ActivityForm, own_types
from activities.models import (
    Activity,
    ActivityType,
    Booking,
    GolfReservation,
    TableReservation,
)
from activities.querysets import ActivityQuerySet
from contacts.admin import panels
from contacts.admin.panels import BulkAction, Composer, ContactPanel, Figure
from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from crm import money
from crm.admin.base import OrganisationAdmin, WithViews, link
from crm.admin.choices import currencies
from crm.admin.filters import ChoiceFilter, DateRangeFilter, MomentFilter
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import display
from organisations.middleware import organisation_of
from organisations.models import Organisation

# Contacts that a search in the list of activities goes through.
_SEARCHED = 200
BULK_ACTIONS: list[BulkAction] = []
"""Actions on chosen activities that apps above add, such as the export."""

_CONTACT = Prefetch("contact", Contact.objects.across_organisations().defer("search_text"))


def amount_of(spend: int, currency_code: str) -> SafeString | str:
    """Money on its line, nothing for none."""
    if not spend:
        return ""
    return format_html('<span class="rg-amount">{}</span>', money.show(spend, currency_code))


class TypeFilter(ChoiceFilter):
    title = gettext_lazy("Type")
    parameter_name = "of_type"

    def options(self) -> list[tuple[str, Any]]:
        organisation = organisation_of(self.request)
        own = own_types(organisation) if organisation is not None else []
        return [(name, name) for name in [*own, *sorted(types.BUILT_IN)]]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(type=self.answer())


class HappenedFilter(MomentFilter):
    title = gettext_lazy("Happened")
    parameter_name = "happened"
    column = "happened_at"


class CountsFilter(ChoiceFilter):
    """What the totals are made of: orders, and what has an amount."""

    title = gettext_lazy("Counts as")
    parameter_name = "counts"

    def options(self) -> list[tuple[str, Any]]:
        return [("order", _("An order")), ("money", _("Money"))]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        if self.answer() == "money":
            return rows.exclude(spend=0)
        organisation = cast(Organisation, organisation_of(request))
        return rows.filter(type__in=types.Ledger().order_types(organisation.pk))


class CurrencyFilter(ChoiceFilter):
    title = gettext_lazy("Currency")
    parameter_name = "currency"

    def options(self) -> list[tuple[str, Any]]:
        return currencies()

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(currency_code=self.answer())


class ByContact(WithViews):
    """Rows of contacts, found by the contact or by their reference."""

    prefetch: Sequence[Any] = (_CONTACT,)
    search_help_text = gettext_lazy("Contact, or the whole reference")
    search_fields = ("contact",)
    url_lookups: Sequence[str] = ("contact", "contact__exact")

    @display(description=gettext_lazy("contact"))
    def who(self, obj: Any) -> str:
        return link(obj.contact)

    def referred(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        """The rows of this reference, by an index."""
        raise NotImplementedError

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the contacts found."""
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        organisation, text = organisation_of(request), search_term.strip()
        if organisation is None or not text:
            return queryset, False
        found = list(
            self.referred(request, queryset, text).order_by().values_list("pk", flat=True)[:100]
        )
        if found:
            return queryset.filter(pk__in=found), False
        contacts = Contact.objects.for_organisation(organisation).current().search(text)
        ids = list(contacts.order_by("-created_at", "-id").values_list("pk", flat=True)[:_SEARCHED])
        theirs = queryset.filter(contact__in=ids)
        return self.narrowed(theirs), False


@admin.register(Activity)
class ActivityAdmin(ByContact):
    """What happened, newest first."""

    form = ActivityForm
    list_display = ("happened_at", "type", "who", "amount", "source", "external_reference")
    list_filter = (TypeFilter, HappenedFilter, CountsFilter, CurrencyFilter)
    ordering = ("-happened_at", "-id")
    sortable_by = ("happened_at",)
    autocomplete_fields = ("contact",)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(contact_page.record)
        quick = path("contact/<int:object_id>/", view, name="activities_activity_record")
        return [quick, *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        for one in BULK_ACTIONS:
            if request.user.has_perm(one.permission):
                actions[one.name] = (one.run, one.name, one.label)
        return actions

    @display(description=gettext_lazy("amount"))
    def amount(self, obj: Activity) -> SafeString | str:
        return amount_of(obj.spend, obj.currency_code)

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return cast(ActivityQuerySet, rows).by_id_when_few()

    def referred(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        # The index begins with the type.
        organisation = cast(Organisation, organisation_of(request))
        names = [*types.BUILT_IN, *own_types(organisation)]
        return rows.filter(type__in=names, external_reference=text)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        main: list[Any] = [
            "contact",
            "type",
            "happened_at",
            "amount",
            "currency_code",
            "source",
        ]
        if obj is None:
            more = ["external_reference", "history", "data"]
            return [
                (None, {"fields": main}),
                (_("More"), {"fields": more, "classes": ["collapse"]}),
            ]
        return [
            (None, {"fields": [*main, "data"]}),
            (_("Fixed"), {"fields": self.get_readonly_fields(request, obj)}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        spoken_of = ("booking", "golf_reservation", "table_reservation", "referral_invite")
        texts = ("external_reference", "purchase", "gift_card")
        return (
            *(name for name in (*texts, *spoken_of) if getattr(obj, name, None)),
            "created_at",
            "updated_at",
        )

    def write(
        self,
        request: HttpRequest,
        obj: Activity | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Activity:
        cleaned = form.cleaned_data
        organisation = organisation_of(request)
        assert organisation is not None
        if obj is None:
            values = {name: value for name, value in cleaned.items() if name != "amount"}
            values["backfill"] = values.pop("history")
            activity, created = services.record(organisation=organisation, **values)
            if not created:
                raise ValidationError(
                    {
                        "external_reference": _(
                            "An activity of this type and reference is there already."
                        )
                    }
                )
            return activity
        values = form.changed_values()
        if {"amount", "currency_code"} & values.keys():
            values.pop("amount", None)
            values |= {"spend": cleaned["spend"], "currency_code": cleaned["currency_code"]}
        return services.correct(activity=obj, values=values)

    def erase(self, request: HttpRequest, obj: Activity) -> None:
        services.void(activity=obj)

    def consequences(self, obj: Activity) -> list[str]:
        return [_("The totals of %(contact)s go back by it.") % {"contact": obj.contact}]

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> Any:
        if request.GET.get("contact"):
            return HttpResponseRedirect(_page_of(obj.contact_id))
        return super().response_post_save_add(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> Any:
        if request.GET.get("back") == "contact":
            return HttpResponseRedirect(_page_of(obj.contact_id))
        return super().response_post_save_change(request, obj)


def _page_of(contact_id: int) -> str:
    return reverse("admin:contacts_contact_change", args=[contact_id])


@admin.register(ActivityType)
class ActivityTypeAdmin(OrganisationAdmin):
    """The organisation's own types, beside the built-in ones."""

    fields = ("name", "counts_as_order")
    list_display = ("name", "counts_as_order", "created_at")
    ordering = ("name",)
    search_fields = ("name",)

    def write(
        self,
        request: HttpRequest,
        obj: ActivityType | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> ActivityType:
        if obj is not None:
            return services.change_type(activity_type=obj, values=form.changed_values())
        organisation = organisation_of(request)
        assert organisation is not None
        return services.define_type(organisation=organisation, **form.cleaned_data)

    def erase(self, request: HttpRequest, obj: ActivityType) -> None:
        services.remove_type(activity_type=obj)


class CheckInFilter(MomentFilter):
    title = gettext_lazy("Check-in")
    parameter_name = "arriving"
    column = "check_in"


class StartFilter(MomentFilter):
    title = gettext_lazy("Start")
    parameter_name = "starting"
    column = "start_time"


class ReservationAdmin(ByContact):
    """Reservations come with the activities that speak of them: here they are read."""

    ordering = ("-created_at", "-id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Booking)
class BookingAdmin(ReservationAdmin):
    """Stays."""

    AMENDABLE = ("status", "check_in", "check_out", "number_of_guests", "room_type", "room_name")

    list_display = (
        "reference",
        "who",
        "check_in",
        "check_out",
        "number_of_guests",
        "room_type",
        "shown_total",
        "status",
    )
    list_filter = (CheckInFilter,)
    fields = (
        "contact",
        *AMENDABLE,
        "shown_total",
        "external_reference",
        "customer_reference",
        "purpose",
        "channel_number",
        "origin",
        "created_at",
        "updated_at",
    )

    @display(description=gettext_lazy("reference"))
    def reference(self, obj: Booking) -> str:
        return str(obj)

    @display(description=gettext_lazy("total"))
    def shown_total(self, obj: Booking) -> SafeString | str:
        return amount_of(obj.total or 0, obj.currency_code or obj.organisation.currency_code)

    def referred(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(external_reference=text)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return tuple(name for name in self.fields if name not in self.AMENDABLE)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(ReservationAdmin, self).has_change_permission(request, obj)

    def write(
        self,
        request: HttpRequest,
        obj: Booking | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Booking:
        assert obj is not None
        return services.amend_reservation(reservation=obj, values=form.changed_values())


class _ByOriginReference(ReservationAdmin):
    @display(description=gettext_lazy("reference"))
    def reference(self, obj: Any) -> str:
        return str(obj)

    def narrowed(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return cast(ActivityQuerySet, rows).by_id_when_few()

    def referred(self, request: HttpRequest, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        # The index begins with the origin, of which there are a few.
        origins = list(rows.order_by().values_list("origin", flat=True).distinct()[:50])
        return rows.filter(origin__in=[one for one in origins if one], origin_reference=text)


@admin.register(TableReservation)
class TableReservationAdmin(_ByOriginReference):
    """Tables."""

    list_display = ("reference", "who", "start_time", "party_size", "status", "origin")
    list_filter = (StartFilter,)


@admin.register(GolfReservation)
class GolfReservationAdmin(_ByOriginReference):
    """Tee times."""

    list_display = ("reference", "who", "start_time", "course_name", "holes", "status")
    list_filter = (StartFilter,)


class HasActivityFilter(TypeFilter):
    """Contacts that have an activity of a type."""

    title = gettext_lazy("Type of activity")
    parameter_name = "activity"

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        organisation = cast(Organisation, organisation_of(request))
        activities = Activity.objects.for_organisation(organisation).filter(type=self.answer())
        return rows.filter(pk__in=activities.order_by().values("contact"))


class _BetweenFilter(DateRangeFilter):
    """Contacts by what happened in a time."""

    def meant(self, activities: ActivityQuerySet, organisation: Organisation) -> ActivityQuerySet:
        """Those of the activities that count."""
        raise NotImplementedError

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        organisation = cast(Organisation, organisation_of(request))
        activities = Activity.objects.for_organisation(organisation).order_by()
        first, end = self.bounds()
        if first is not None:
            activities = activities.filter(happened_at__gte=first)
        if end is not None:
            activities = activities.filter(happened_at__lt=end)
        return self.having(rows, self.meant(activities, organisation))

    def having(self, rows: QuerySet[Any], activities: ActivityQuerySet) -> QuerySet[Any]:
        """The contacts of these activities."""
        return rows.filter(activities.contacts())


class ActiveFilter(_BetweenFilter):
    """Contacts with whom something happened."""

    title = gettext_lazy("Active")
    parameter_name = "active"

    def meant(self, activities: ActivityQuerySet, organisation: Organisation) -> ActivityQuerySet:
        return activities.exclude(type__in=types.SILENT)


class OrderedFilter(_BetweenFilter):
    """Contacts who ordered, perhaps several times."""

    title = gettext_lazy("Ordered")
    parameter_name = "ordered"
    template = "admin/filter_range.html"
    suffixes = ("_from", "_to", "_times")

    def fields(self) -> dict[str, forms.Field]:
        widget = UnfoldAdminIntegerFieldWidget()
        times = forms.IntegerField(label=_("Times"), min_value=1, max_value=10_000, widget=widget)
        return {**super().fields(), "_times": times}

    def meant(self, activities: ActivityQuerySet, organisation: Organisation) -> ActivityQuerySet:
        return activities.filter(type__in=types.Ledger().order_types(organisation.pk))

    def having(self, rows: QuerySet[Any], activities: ActivityQuerySet) -> QuerySet[Any]:
        times = self.answer("_times") or 1
        if times == 1:
            return super().having(rows, activities)
        # Whoever did at all is quickly told by the totals.
        able = cast(ContactQuerySet, rows.filter(rollup__total_orders__gte=times))
        return able.filter(activities.contacts(times))


class ActivitiesPanel(ContactPanel):
    """Activities on a contact's page, and a filter by what happened."""

    name = "activities"
    position = 20

    def figures(self, request: HttpRequest, contact: Contact) -> Sequence[Figure]:
        return contact_page.visits(request, contact)

    def now(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        return contact_page.coming(request, contact)

    def composers(self, request: HttpRequest, contact: Contact) -> Sequence[Composer]:
        return contact_page.composers(request, contact)

    def filters(self, request: HttpRequest) -> list[type[admin.ListFilter]]:
        return [HasActivityFilter, ActiveFilter, OrderedFilter]

    def erased(self, contact: Contact) -> Sequence[str]:
        return [_("Erased: free text in activities, bookings and reservations.")]

    def deleted(self, contact: Contact) -> Sequence[str]:
        return [_("All activities, bookings and reservations are deleted.")]


panels.register(ActivitiesPanel())
