"""Activities, bookings, reservations and types over the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from activities import services
from activities.filtersets import (
    ActivityFilterSet,
    BookingFilterSet,
    ReservationFilterSet,
    TimelineFilterSet,
)
from activities.models import (
    Activity,
    ActivityType,
    Booking,
    GolfReservation,
    Reservation,
    TableReservation,
)
from activities.serializers import (
    ActivityBatchSerializer,
    ActivitySerializer,
    ActivityTypeSerializer,
    BookingSerializer,
    ChangeActivitySerializer,
    GolfReservationSerializer,
    RollupsSerializer,
    TableReservationSerializer,
    represent,
    represent_reservation,
    represent_rollups,
)
from activities.types import BUILT_IN
from contacts import rollups
from contacts.models import Contact
from crm.api import batches
from crm.api.ordering import by, unset_last_by
from crm.api.pagination import KeysetPagination
from crm.api.schema import BATCH_ANSWER
from crm.api.views import ApiView
from crm.api.viewsets import OrganisationViewSet
from organisations.models import Organisation

BACKFILL = {
    "name": "backfill",
    "description": "`true`: history, which is counted but starts no workflow and no webhook.",
    "schema": {"type": "boolean", "default": False},
}


KEYS = ("activities", "backfill")


def contact_of(organisation: Organisation, pk: int) -> Contact:
    """The contact of this id, or the one that it was merged into. Raises Http404."""
    try:
        return Contact.objects.for_organisation(organisation).resolve(pk)
    except Contact.DoesNotExist:
        raise Http404 from None


class ActivityViewSet(OrganisationViewSet[Activity]):
    """What contacts did: purchases, stays, logins."""

    scope = "activities"
    queryset = Activity.objects.with_reservations()
    serializer_class = ActivitySerializer
    filterset_class = ActivityFilterSet
    default_ordering = by("-happened_at")
    orderings = {"happenedAt": "happened_at"}
    update_with = staticmethod(services.correct)
    delete_with = staticmethod(services.void)
    parameters = {"create": [BACKFILL], "batch": [BACKFILL, *batches.PARAMETERS]}

    def get_serializer_class(self) -> type[BaseSerializer[Activity]]:
        if self.action == "partial_update":
            return ChangeActivitySerializer
        return ActivitySerializer

    def represent(self, row: Activity) -> dict[str, Any]:
        return represent(row)

    def represent_page(self, rows: Sequence[Activity]) -> list[Any]:
        return [represent(row) for row in rows]

    def perform_create(self, serializer: BaseSerializer[Activity]) -> tuple[Activity, bool]:
        values = serializer.validated_data
        if self.parameter("backfill", False):
            values["backfill"] = True
        return services.record(organisation=self.organisation, **values)

    def perform_update(self, serializer: BaseSerializer[Activity]) -> Activity:
        activity = serializer.instance
        assert activity is not None
        activity.organisation = self.organisation
        return services.correct(activity=activity, values=serializer.validated_data)

    def perform_destroy(self, instance: Activity) -> None:
        instance.organisation = self.organisation
        services.void(activity=instance)

    @extend_schema(request=ActivityBatchSerializer, responses=BATCH_ANSWER)
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Any:
        """Record up to 1,000 activities."""
        rows = batches.rows_of(self, *KEYS)
        backfill = self.parameter("backfill", False) or self.body(*KEYS).get("backfill") is True
        return batches.run(
            self,
            key="activities",
            serializer=batches.reused(self.get_serializer(data={})),
            write=lambda values, atomic: services.record_batch(
                organisation=self.organisation, rows=values, atomic=atomic, backfill=backfill
            ),
            rows=rows,
        )


class TimelineViewSet(ActivityViewSet):
    """A contact's activities, newest first."""

    filterset_class = TimelineFilterSet  # type: ignore[assignment]  # the contact is in the address
    http_method_names = ["get", "head"]

    def get_queryset(self) -> Any:
        activities = super().get_queryset()
        contact = self.kwargs.get("contact")
        if contact is None:  # when the API is described
            return activities
        return activities.filter(contact=contact_of(self.organisation, contact))


class RollupsView(ApiView):
    """How a contact's totals come about."""

    scope = "contacts"
    serializer_class = RollupsSerializer

    def staff_model(self) -> tuple[str, str] | None:
        return "contacts", "contact"

    @extend_schema(operation_id="contacts_rollups_retrieve", responses=RollupsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        contact = contact_of(self.organisation, pk)
        contact.organisation = self.organisation
        found = rollups.explain(contact)
        return Response(represent_rollups(contact.pk, self.organisation.currency_code, found))


class ReservationViewSet(OrganisationViewSet[Any]):
    """Bookings and reservations: written with the activities that speak of them."""

    scope = "activities"

    def represent(self, row: Reservation) -> dict[str, Any]:
        return represent_reservation(row)

    def represent_page(self, rows: Sequence[Reservation]) -> list[Any]:
        return [represent_reservation(row) for row in rows]


class BookingViewSet(ReservationViewSet):
    """Stays."""

    queryset = Booking.objects.all()
    serializer_class = BookingSerializer
    filterset_class = BookingFilterSet
    orderings = {
        "createdAt": "created_at",
        "checkIn": unset_last_by("check_in"),
        "checkOut": unset_last_by("check_out"),
    }

    def perform_update(self, serializer: BaseSerializer[Booking]) -> Booking:
        booking = serializer.instance
        assert booking is not None
        booking.organisation = self.organisation
        return services.amend_reservation(reservation=booking, values=serializer.validated_data)


class GolfReservationViewSet(ReservationViewSet):
    """Tee times."""

    queryset = GolfReservation.objects.all()
    serializer_class = GolfReservationSerializer
    filterset_class = ReservationFilterSet
    orderings = {"createdAt": "created_at", "startTime": unset_last_by("start_time")}


class TableReservationViewSet(ReservationViewSet):
    """Tables at a restaurant."""

    queryset = TableReservation.objects.all()
    serializer_class = TableReservationSerializer
    filterset_class = ReservationFilterSet
    orderings = {"createdAt": "created_at", "startTime": unset_last_by("start_time")}


class ActivityTypeViewSet(OrganisationViewSet[ActivityType]):
    """The types of activity: the built-in ones first, then the organisation's own."""

    scope = "activities"
    queryset = ActivityType.objects.all()
    serializer_class = ActivityTypeSerializer
    create_with = staticmethod(services.define_type)
    update_with = staticmethod(services.change_type)
    delete_with = staticmethod(services.remove_type)
    row_argument = "activity_type"

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """All of them are few, so they are paged through in memory."""
        page = KeysetPagination(request)
        known: list[Any] = [*BUILT_IN.values(), *self.get_queryset().order_by("name")]
        told = self.represent_page(page.page_of_few(known))
        return Response(told, headers=page.headers)
