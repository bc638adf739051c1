"""Filters of the contact list."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact, Tag
from contacts.querysets import ContactQuerySet
from contacts.segments.models import Segment
from crm.admin.filters import ChoiceFilter, DateRangeFilter, FormFilter, RangeFilter
from crm.admin.widgets import AutocompleteMany
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
