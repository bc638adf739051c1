"""Filters of the contact list."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts import rfm
from contacts.models import Contact, Tag
from contacts.querysets import ContactQuerySet
from contacts.segments.models import Segment
from crm.admin.filters import ChoiceFilter, DateRangeFilter, FormFilter, MomentFilter, RangeFilter
from crm.admin.widgets import AutocompleteMany, ChooseMany
from crm.money import to_minor
from organisations.middleware import organisation_of


class TagFilter(FormFilter):
    """All of the chosen tags."""

    title = _("Tags")
    parameter_name = "tag"

    def fields(self) -> dict[str, forms.Field]:
        tags: Any = Tag.objects.none()
        organisation = organisation_of(self.request)
        if organisation is not None:
            tags = Tag.objects.for_organisation(organisation)
        widget = AutocompleteMany(Contact._meta.get_field("tags"), admin.site)
        return {"": forms.ModelMultipleChoiceField(label=self.title, queryset=tags, widget=widget)}

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        tags = list(self.answer())
        return cast(ContactQuerySet, rows).tagged(*tags) if tags else rows


class SegmentFilter(ChoiceFilter):
    """Those that carry a segment's tag. Shown where there are segments."""

    title = _("Segment")
    parameter_name = "segment"

    def options(self) -> list[tuple[str, Any]]:
        organisation = organisation_of(self.request)
        if organisation is None:
            return []
        segments = Segment.objects.for_organisation(organisation).order_by("name")
        return [(str(pk), name) for pk, name in segments.values_list("pk", "name")]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        tags = Tag.objects.across_organisations().filter(segment=self.answer())
        return cast(ContactQuerySet, rows).tagged(*tags)


class KindFilter(ChoiceFilter):
    """Persons or businesses."""

    title = _("Kind")
    parameter_name = "of_kind"

    def options(self) -> list[tuple[str, Any]]:
        return list(Contact.Kind.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return cast(ContactQuerySet, rows).of_kind(self.answer())


def _with_totals(request: HttpRequest, rows: QuerySet[Any], **lookups: Any) -> QuerySet[Any]:
    organisation = organisation_of(request)
    assert organisation is not None
    return cast(ContactQuerySet, rows).with_totals(organisation, **lookups)


class LastInteractionFilter(DateRangeFilter):
    """When something last happened with the contact."""

    title = _("Last interaction")
    parameter_name = "last"

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        first, end = self.bounds()
        lookups: dict[str, Any] = {}
        if first is not None:
            lookups["last_interacted_at__gte"] = first
        if end is not None:
            lookups["last_interacted_at__lt"] = end
        return _with_totals(request, rows, **lookups) if lookups else rows


class CreatedFilter(MomentFilter):
    """Since when we know the contact."""

    title = _("Created")
    parameter_name = "created"
    column = "created_at"


class RfmFilter(FormFilter):
    """Contacts in cells of the grid of RFM: in segments by their words, or in single cells, such as
    `5-4` for recency 5 and frequency 4."""

    title = _("Regulars (RFM)")
    parameter_name = "rfm"

    def fields(self) -> dict[str, forms.Field]:
        words = [(one.key, one.word) for one in rfm.SEGMENTS]
        cells = [
            (f"{recency}-{frequency}", f"R{recency} F{frequency}")
            for recency in reversed(rfm.SCORES)
            for frequency in reversed(rfm.SCORES)
        ]
        choices = [(_("In words"), words), (_("Recency and frequency"), cells)]
        field = forms.MultipleChoiceField(label=self.title, choices=choices, widget=ChooseMany())
        return {"": field}

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        organisation = organisation_of(request)
        assert organisation is not None
        cells: set[tuple[int, int]] = set()
        by_key = {one.key: one.cells for one in rfm.SEGMENTS}
        for key in self.answer():
            recency, _dash, frequency = key.partition("-")
            cells |= by_key.get(key) or {(int(recency), int(frequency))}
        return cast(ContactQuerySet, rows).scored(organisation, cells)


class SpendFilter(RangeFilter):
    """Total spend, typed as people write money."""

    title = _("Total spend")
    parameter_name = "spend"

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        organisation = organisation_of(request)
        assert organisation is not None
        lookups = {}
        for suffix, lookup in (("_from", "total_spend__gte"), ("_to", "total_spend__lte")):
            if (amount := self.answer(suffix)) is not None and abs(amount) < 10**15:
                lookups[lookup] = to_minor(round(amount, 2), organisation.currency_code)
        return _with_totals(request, rows, **lookups) if lookups else rows
