"""Addresses of the API that are credit's."""

from __future__ import annotations

from django.urls import path

from crm.api import routers  # noqa: F401  # knows `<id:…>`
from rewards.views import CreditView, RedeemView, ReverseView

urlpatterns = [
    path("contacts/<id:pk>/credit", CreditView.as_view(), name="contact-credit"),
    path("contacts/<id:pk>/credit/redeem", RedeemView.as_view(), name="contact-credit-redeem"),
    path(
        "contacts/<id:pk>/credit/<id:entry>/reverse",
        ReverseView.as_view(),
        name="contact-credit-reverse",
    ),
]
