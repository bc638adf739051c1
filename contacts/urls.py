"""Addresses of the API that are contacts'."""

from __future__ import annotations

from django.urls import path

from contacts.views import ContactViewSet, ReferralInviteViewSet, TagViewSet
from crm.api.routers import Router

router = Router()
router.register("contacts", ContactViewSet, basename="contact")
router.register("tags", TagViewSet, basename="tag")
router.register("referral-invites", ReferralInviteViewSet, basename="referral-invite")

urlpatterns = [
    *router.urls,
    # The seed's singular address.
    path("contact/<id:pk>", ContactViewSet.as_view({"get": "retrieve"}), name="contact-singular"),
]
