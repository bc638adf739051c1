"""The forms of the wizard. They parse; `services` says what is right."""

from __future__ import annotations

import zoneinfo
from functools import lru_cache
from typing import Any

import phonenumbers
from babel import Locale
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext_lazy, to_locale
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from activities.models import ActivityType
from activities.types import BUILT_IN
from imports.wizard import guessing
from imports.wizard.models import Upload

ENCODINGS = [
    ("", gettext_lazy("Found by itself")),
    ("utf-8", "UTF-8"),
    ("windows-1252", "Windows-1252"),
    ("latin-1", "Latin-1"),
    ("utf-16", "UTF-16"),
    ("mac_roman", "Mac Roman"),
    ("cp850", "DOS (CP850)"),
    ("windows-1250", "Windows-1250"),
    ("windows-1251", "Windows-1251"),
]
DELIMITERS = [
    ("", gettext_lazy("Found by itself")),
    ("comma", gettext_lazy("Comma")),
    ("semicolon", gettext_lazy("Semicolon")),
    ("tab", gettext_lazy("Tab")),
    ("bar", gettext_lazy("Bar")),
]
Select = UnfoldAdminSelectWidget


def megabytes(size: int) -> str:
    """A size as people say it."""
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{max(size / 1000, 0.1):,.1f} kB"


class UploadForm(forms.Form):
    """What it is, and the file."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What is in it"), widget=forms.RadioSelect, initial=Upload.Kind.CONTACTS
    )
    file = forms.FileField(label=gettext_lazy("File"), allow_empty_file=True, max_length=255)

    def __init__(self, *args: Any, kinds: list[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]  # it is a ChoiceField

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if not file.size:
            raise ValidationError(_("The file is empty."))
        if file.size > settings.IMPORTS_MAX_MB * 1_000_000:
            raise ValidationError(too_large())
        return file


def too_large() -> str:
    """What is said of a file past the limit."""
    return _(
        "The file is larger than %(most)s MB, which is the most that can be uploaded: split it, or"
        " have it imported on the server (manage.py import_contacts)."
    ) % {"most": settings.IMPORTS_MAX_MB}


class ReadingForm(forms.Form):
    """How the file is to be read."""

    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding"), choices=ENCODINGS, required=False, widget=Select
    )
    delimiter = forms.ChoiceField(
        label=gettext_lazy("Between the cells"), choices=DELIMITERS, required=False, widget=Select
    )
    sheet = forms.ChoiceField(label=gettext_lazy("Sheet"), required=False, widget=Select)

    def __init__(self, upload: Upload, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": upload.reading, **kwargs})
        sheets = upload.found.get("sheets", [])
        if sheets:
            first = ("", _("The first that has rows"))
            self.fields["sheet"].choices = [first, *((name, name) for name in sheets)]  # type: ignore[attr-defined]
            del self.fields["encoding"], self.fields["delimiter"]
        else:
            del self.fields["sheet"]


class OptionsForm(forms.Form):
    """How the rows are meant: what all kinds of file share."""

    date_format = forms.ChoiceField(
        label=gettext_lazy("How dates are written"), required=False, widget=Select
    )
    country = forms.ChoiceField(
        label=gettext_lazy("Country of phone numbers"),
        required=False,
        widget=Select,
        help_text=gettext_lazy("In which numbers without a country code are read."),
    )
    backfill = forms.BooleanField(
        label=gettext_lazy("This is history"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy(
            "It counts, but starts no workflow and no webhook. Leave it off for what is new."
        ),
    )

    def __init__(self, upload: Upload, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", upload.choices.get("options", {}))
        super().__init__(*args, **kwargs)
        organisation = upload.organisation
        dates = [(one, guessing.example(one)) for one in guessing.date_formats(upload.kind)]
        self._choices("date_format", [("", guessing.example("%Y-%m-%d")), *dates])
        own = countries().get(organisation.country, organisation.country)
        others = sorted(countries().items(), key=lambda pair: pair[1])
        self._choices("country", [("", own), *others])

    def _choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]  # it is a ChoiceField

    def options(self) -> dict[str, Any]:
        """What was chosen, as `Upload.choices` keeps it."""
        return dict(self.cleaned_data)


class ContactOptionsForm(OptionsForm):
    """How rows of contacts are meant."""

    field_order = ("mode", "date_format", "country", "add_tags", "clear_empty", "backfill")

    mode = forms.ChoiceField(
        label=gettext_lazy("Contacts that are known already"),
        choices=[
            ("upsert", gettext_lazy("are updated, others are created")),
            ("create", gettext_lazy("fail: only new ones are wanted")),
            ("update", gettext_lazy("are updated, others fail")),
        ],
        widget=Select,
    )
    add_tags = forms.CharField(
        label=gettext_lazy("Tags to put on all of them"),
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Beside those that they carry, with commas between them."),
    )
    clear_empty = forms.BooleanField(
        label=gettext_lazy("Empty cells clear the field"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=gettext_lazy("Otherwise they leave what is there."),
    )

    def __init__(self, upload: Upload, *args: Any, **kwargs: Any) -> None:
        initial = dict(upload.choices.get("options", {}))
        initial["add_tags"] = ", ".join(initial.get("add_tags", ()))
        super().__init__(upload, *args, **{"initial": initial, **kwargs})

    def options(self) -> dict[str, Any]:
        given = super().options()
        names = given.get("add_tags", "").replace(";", ",").split(",")
        given["add_tags"] = [name.strip() for name in names if name.strip()]
        return given


class ActivityOptionsForm(OptionsForm):
    """How rows of activities are meant."""

    field_order = ("type", "source", "date_format", "timezone", "spend_in", "country", "backfill")

    type = forms.ChoiceField(
        label=gettext_lazy("Type, where a row says none"), required=False, widget=Select
    )
    source = forms.CharField(
        label=gettext_lazy("Where it happened, where a row does not say"),
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Such as till, website or the name of the shop."),
    )
    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone of times without one"), required=False, widget=Select
    )
    spend_in = forms.ChoiceField(
        label=gettext_lazy("How amounts are written"),
        choices=[
            ("major", gettext_lazy("45.00 is forty-five")),
            ("minor", gettext_lazy("4500 is forty-five")),
        ],
        widget=Select,
    )

    def __init__(self, upload: Upload, *args: Any, **kwargs: Any) -> None:
        super().__init__(upload, *args, **kwargs)
        own = ActivityType.objects.for_organisation(upload.organisation_id).order_by("name")
        names = [*BUILT_IN, *own.values_list("name", flat=True)]
        self._choices("type", [("", "—"), *((name, _(name)) for name in names)])
        zones = sorted(zoneinfo.available_timezones())
        own_zone = upload.organisation.timezone
        self._choices("timezone", [("", own_zone), *((name, name) for name in zones)])


def options_form(upload: Upload, *args: Any) -> ContactOptionsForm | ActivityOptionsForm:
    """The form of this kind of file."""
    form = ActivityOptionsForm if upload.kind == Upload.Kind.ACTIVITIES else ContactOptionsForm
    return form(upload, *args)


def countries() -> dict[str, str]:
    """The countries whose phone numbers can be read, by code, in the reader's language."""
    return _countries(to_locale(get_language() or "en"))


@lru_cache(maxsize=8)
def _countries(locale: str) -> dict[str, str]:
    names = Locale.parse(locale, sep="_").territories
    return {code: str(names.get(code, code)) for code in phonenumbers.SUPPORTED_REGIONS}
