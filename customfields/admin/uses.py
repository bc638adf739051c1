"""Segments that speak of a custom field. Apps above add what they know to `customfields.uses`."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from contacts.segments.models import Segment
from customfields import uses
from customfields.models import CustomField


@uses.register
def segments(field: CustomField) -> Iterator[uses.Use]:
    """One query."""
    for segment in Segment.objects.for_organisation(field.organisation_id).order_by("name"):
        if uses.speaks_of(segment.rules, field):
            page = reverse("admin:contacts_segment_change", args=[segment.pk])
            yield uses.Use(_("Segment"), str(segment), page, "contacts.view_segment")
