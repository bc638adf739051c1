"""Addresses of the API that are the activities'."""

from __future__ import annotations

from django.urls import path

from activities.views import (
    ActivityTypeViewSet,
    ActivityViewSet,
    BookingViewSet,
    GolfReservationViewSet,
    RollupsView,
    TableReservationViewSet,
    TimelineViewSet,
)
from crm.api.routers import Router

router = Router()
router.register("activities", ActivityViewSet, basename="activity")
router.register("activity-types", ActivityTypeViewSet, basename="activity-type")
router.register("bookings", BookingViewSet, basename="booking")
router.register("golf-reservations", GolfReservationViewSet, basename="golf-reservation")
router.register("table-reservations", TableReservationViewSet, basename="table-reservation")

urlpatterns = [
    *router.urls,
    path(
        "contacts/<id:contact>/activities",
        TimelineViewSet.as_view({"get": "list"}),
        name="contact-activities",
    ),
    path("contacts/<id:pk>/rollups", RollupsView.as_view(), name="contact-rollups"),
]
