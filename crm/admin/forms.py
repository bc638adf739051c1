"""Forms that parse what was typed and leave every rule to a service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.choices import flatten_choices
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from crm.admin.unfold import InlineFormSet
from crm.errors import Conflict
from organisations.models import Organisation

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class Refused(Exception):
    """A service said no while a form was saved: carries what to show beside which field."""

    def __init__(self, error: ValidationError | Conflict) -> None:
        super().__init__(str(error))
        self.by_path = dict(_by_path(error))


def _by_path(error: ValidationError | Conflict) -> Iterator[tuple[str, list[str]]]:
    if isinstance(error, Conflict):
        yield NON_FIELD_ERRORS, [error.detail]
    elif hasattr(error, "error_dict"):
        yield from error.message_dict.items()
    else:
        yield NON_FIELD_ERRORS, error.messages


class ServiceForm(ModelForm):
    """A model form that neither checks nor writes its instance.

    It parses fields; `OrganisationAdmin.write` hands what was typed to a service, and what the
    service refuses comes back as `refused` when the form is built again.
    """

    organisation: ClassVar[Organisation | None] = None
    refused: ClassVar[Refused | None] = None
    # Paths that inline rows show themselves, such as `addresses`.
    inline_paths: ClassVar[tuple[str, ...]] = ()
    # Shown to somebody who may not change it.
    only_read: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.only_read:
            # Django reads what it shows from the row, which knows nothing of fields of the form.
            for name, field in self.fields.items():
                if not hasattr(self.instance, name):
                    initial = self.get_initial_for_field(field, name)
                    setattr(self.instance, name, as_text(field, initial) or "-")

    def field_of(self, path: str) -> str | None:
        """The field beside which to show what a service says of `path`; None: above the form."""
        return path if path in self.fields else None

    def _post_clean(self) -> None:
        for path, messages in (self.refused.by_path if self.refused else {}).items():
            field = self.field_of(path)
            if field is None and path.partition("[")[0] in self.inline_paths:
                self.add_error(None, [_("Correct the rows below.")])
                continue
            where = f"{path}: " if field is None and path != NON_FIELD_ERRORS else ""
            for message in messages:
                self.add_error(field, ValidationError(format_html("{}{}", where, message)))

    def save(self, commit: bool = True) -> Any:
        """Nothing is written here."""
        return self.instance

    def save_m2m(self) -> None:
        """Nothing is written here."""

    def changed_values(self) -> dict[str, Any]:
        """What was typed in the fields that differ from what the form was shown with."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


def as_text(field: forms.Field, value: Any) -> str:
    """What a field holds, as people read it."""
    if isinstance(value, list | tuple):
        return ", ".join(as_text(field, one) for one in value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return date_format(localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value)
    if isinstance(value, Decimal):
        return number_format(f"{value:f}".rstrip("0").rstrip(".") if value % 1 else int(value))
    choices: Any = flatten_choices(getattr(field, "choices", ()))
    labels = {str(key): str(label) for key, label in choices if key not in (None, "")}
    return "" if value is None else labels.get(str(value), str(value))


class ServiceFormSet(InlineFormSet):
    """Inline rows that are parsed only; `rows` is what a service gets."""

    refused: Refused | None = None
    path: ClassVar[str] = ""
    # A column that people order the rows by, by dragging.
    place: ClassVar[str | None] = None

    def add_fields(self, form: Any, index: int | None) -> None:
        """Django's, but the id of a row is looked for among the rows that are shown here, not in
        the whole table, which may not be read without an organisation."""
        super().add_fields(form, index)
        key = form.fields.get(cast(Any, self.model)._meta.pk.name)
        if isinstance(key, forms.ModelChoiceField):
            key.queryset = self.get_queryset()

    def full_clean(self) -> None:
        """Django's, and what the service said of each row (`addresses[0].country`)."""
        super().full_clean()
        if self.refused is None or not self.is_bound:
            return
        kept = self.kept_forms()
        for path, messages in self.refused.by_path.items():
            name, _bracket, rest = path.partition("[")
            if name != self.path:
                continue
            index, _bracket, column = rest.partition("]")
            if not index.isdecimal() or int(index) >= len(kept):
                self.non_form_errors().extend(messages)
                continue
            form = kept[int(index)]
            column = column.removeprefix(".")
            # `errors` holds each form's own errors, so these are among them.
            form.add_error(column if column in form.fields else None, messages)

    def kept_forms(self) -> list[Any]:
        """The filled forms that are not to be deleted, in their order."""
        kept = [
            form
            for form in self.forms
            if form not in self.deleted_forms
            and any(form.cleaned_data.get(name) for name in form._meta.fields if name != self.place)
        ]
        return sorted(kept, key=self._place_of) if self.place else kept

    def _place_of(self, form: Any) -> tuple[bool, int]:
        place = form.cleaned_data.get(self.place)
        return place is None, place or 0  # new rows come last

    def rows(self) -> list[dict[str, Any]]:
        """What was typed, row by row."""
        return [
            {name: form.cleaned_data.get(name) for name in form._meta.fields if name != self.place}
            for form in self.kept_forms()
        ]

    @property
    def is_changed(self) -> bool:
        return any(form.has_changed() for form in self.forms)


def opened(organisation: Organisation | None, refused: Refused | None) -> dict[str, Any]:
    """The class attributes that a request gives to a `ServiceForm`."""
    return {"organisation": organisation, "refused": refused}
