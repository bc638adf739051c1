"""Filters of lists: each asks for something that an index answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

_INPUT = " ".join(INPUT_CLASSES)


class FormFilter(admin.SimpleListFilter):
    """A filter that is a small form; `narrow` gets what was given, once it is valid."""

    template = "unfold/filters/filters_field.html"
    suffixes: ClassVar[tuple[str, ...]] = ("",)

    def __init__(
        self, request: HttpRequest, params: dict[str, list[str]], model: Any, model_admin: Any
    ) -> None:
        self.request = request
        self.model_admin = model_admin
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                params.pop(name)
        given: dict[str, Any] = {
            str(name): request.GET.getlist(str(name))
            for name in self.expected_parameters()
            if any(request.GET.getlist(str(name)))
        }
        self.used_parameters = given
        self.form = self.make_form(request)
        self.given = self.form.cleaned_data if self.form.is_valid() else {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [f"{self.parameter_name}{suffix}" for suffix in self.suffixes]

    def fields(self) -> dict[str, forms.Field]:
        """The form's fields by suffix."""
        raise NotImplementedError

    def make_form(self, request: HttpRequest) -> forms.Form:
        form = forms.Form(data=request.GET, auto_id=f"filter-{self.parameter_name}-%s")
        for suffix, field in self.fields().items():
            field.required = False
            form.fields[f"{self.parameter_name}{suffix}"] = field
        return form

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        yield {"form": self.form}

    def answer(self, suffix: str = "") -> Any:
        """What was given, None for nothing."""
        value = self.given.get(f"{self.parameter_name}{suffix}")
        return None if value in (None, "", []) else value

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if any(self.answer(suffix) is not None for suffix in self.suffixes):
            return self.narrow(request, queryset)
        return queryset

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows that fit. Called only when something was given."""
        raise NotImplementedError


class ChoiceFilter(FormFilter):
    """One of a few."""

    def options(self) -> list[tuple[str, Any]]:
        """What there is to choose from."""
        raise NotImplementedError

    def fields(self) -> dict[str, forms.Field]:
        return {
            "": forms.ChoiceField(
                label=self.title,
                choices=[("", _("All")), *self.options()],
                widget=UnfoldAdminSelectWidget(),
            )
        }


class TextFilter(FormFilter):
    """A text."""

    def fields(self) -> dict[str, forms.Field]:
        return {"": forms.CharField(label=self.title, widget=UnfoldAdminTextInputWidget())}


class RangeFilter(FormFilter):
    """From, to, or both; both included."""

    template = "admin/filter_range.html"
    suffixes: ClassVar[tuple[str, ...]] = ("_from", "_to")

    def field(self, label: str) -> forms.Field:
        return forms.DecimalField(
            label=label, widget=forms.NumberInput(attrs={"class": _INPUT, "step": "any"})
        )

    def fields(self) -> dict[str, forms.Field]:
        return {"_from": self.field(_("From")), "_to": self.field(_("To"))}


class _DayInput(forms.DateInput):
    """A day; a moment too, when that is what the address gives."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        widget = context["widget"]
        try:
            moment = parse_datetime(str(widget["value"])) if "T" in str(widget["value"]) else None
        except ValueError:
            moment = None
        if moment is not None:
            here = timezone.localtime(moment) if timezone.is_aware(moment) else moment
            widget["value"] = here.replace(tzinfo=None).isoformat()
            widget["type"] = "datetime-local"
            widget["attrs"] |= {"step": "any"}
        return context


class DayOrMoment(forms.DateField):
    """A date, or a date and time (`2026-11-25T14:02`): what links of the dashboard narrow by."""

    def to_python(self, value: Any) -> date | None:
        if "T" in str(value):
            return forms.DateTimeField().to_python(value)
        return super().to_python(value)


class DateRangeFilter(RangeFilter):
    """Whole days, in the organisation's time zone. Given as moments, up to but without the last."""

    def field(self, label: str) -> forms.Field:
        return DayOrMoment(label=label, widget=_DayInput(attrs={"class": _INPUT, "type": "date"}))

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The first moment, and the first one that is too late."""
        first, last = self.answer("_from"), self.answer("_to")
        if not isinstance(last, datetime) and last is not None:
            last = last + timedelta(days=1) if last < date.max else None
        return _start_of(first), _start_of(last)


def _start_of(day: date | None) -> datetime | None:
    if day is None or isinstance(day, datetime):
        return day
    try:
        return timezone.make_aware(datetime.combine(day, time.min))
    except (OverflowError, ValueError):
        return None


class MomentFilter(DateRangeFilter):
    """A range of a column of moments that an index of the list's own table serves."""

    column: ClassVar[str]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        first, end = self.bounds()
        if first is not None:
            rows = rows.filter(**{f"{self.column}__gte": first})
        if end is not None:
            rows = rows.filter(**{f"{self.column}__lt": end})
        return rows
