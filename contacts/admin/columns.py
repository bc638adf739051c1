"""Columns of the contact list beyond those that it has of itself."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from contacts import rfm
from contacts.admin.panels import PANELS
from contacts.models import Contact
from contacts.views import by_total
from crm.admin.columns import Column


def _day(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT") if moment else ""


def _scores(contact: Contact) -> str:
    totals = contact.rollup
    if totals.recency is None:
        return ""
    return f"{totals.recency} {totals.frequency} {totals.monetary}"


def _words(contact: Contact) -> str:
    totals = contact.rollup
    return rfm.words_for(totals.recency, totals.frequency, totals.monetary)


OWN = (
    Column(name="kind", label=_("kind"), show=lambda contact: str(contact.get_kind_display())),
    Column(name="first_name", label=_("first name"), show=lambda contact: contact.first_name),
    Column(name="last_name", label=_("last name"), show=lambda contact: contact.last_name),
    Column(
        name="dob",
        label=_("date of birth"),
        show=lambda contact: date_format(contact.dob, "SHORT_DATE_FORMAT") if contact.dob else "",
    ),
    Column(name="timezone", label=_("time zone"), show=lambda contact: contact.timezone),
    Column(name="rfm_words", label=_("regular"), show=_words),
    Column(name="rfm_scores", label=_("RFM"), show=_scores),
    Column(
        name="last_order",
        label=_("last order"),
        show=lambda contact: _day(contact.rollup.last_order_at),
    ),
    Column(
        name="changed",
        label=_("changed"),
        show=lambda contact: _day(contact.rollup.changed_at),
        ordering=by_total("changed_at"),
    ),
    Column(name="number", label=_("number"), show=lambda contact: str(contact.pk)),
)


BY_TOTALS = frozenset({"total_spend", "total_orders", "last_interaction", "changed"})
"""The columns that are sorted by along an index of the totals."""


def columns(request: HttpRequest) -> list[Column]:
    """Ours, and what the panels have."""
    return [*OWN, *(column for panel in PANELS for column in panel.columns(request))]
