"""Addresses of the API that are contacts'."""

from __future__ import annotations

from django.urls import path

from contacts.segments.views import (
    ContactSegmentsView,
    RuleFieldsView,
    SegmentContactsViewSet,
    SegmentViewSet,
)
from contacts.views import ContactViewSet, ReferralInviteViewSet, TagViewSet
from crm.api.routers import Router

router = Router()
router.register("contacts", ContactViewSet, basename="contact")
router.register("tags", TagViewSet, basename="tag")
router.register("referral-invites", ReferralInviteViewSet, basename="referral-invite")
router.register("segments", SegmentViewSet, basename="segment")

urlpatterns = [
    *router.urls,
    path(
        "segments/<id:segment>/contacts",
        SegmentContactsViewSet.as_view({"get": "list"}),
        name="segment-contacts",
    ),
    path("contacts/<id:contact>/segments", ContactSegmentsView.as_view(), name="contact-segments"),
    path("rule-fields", RuleFieldsView.as_view(), name="rule-fields"),
    # The seed's singular address.
    path("contact/<id:pk>", ContactViewSet.as_view({"get": "retrieve"}), name="contact-singular"),
]
