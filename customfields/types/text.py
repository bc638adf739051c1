"""Types whose values are texts."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator, validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
)

from contacts import identity
from customfields.formfields import CustomTextField
from customfields.operators import pick
from customfields.types.base import FieldType, printable, too_long

if TYPE_CHECKING:
    from django.forms import Widget

    from customfields.models import CustomField

_SHORT = pick("eq", "ne", "in", "not_in", "contains", "not_contains", "starts_with", "exists")


class Text(FieldType[str]):
    """One line, up to 255 characters."""

    name = "Text"
    label = gettext_lazy("Text")
    column = "value_text"
    sort_column = "value_text"
    operators = _SHORT
    limit = 255
    schema = {"type": "string", "maxLength": 255}
    bounds: ClassVar[str | None] = "length"
    has_pattern = True
    rank: ClassVar[int | None] = 80
    form_class = CustomTextField

    def read(self, given: Any, field: CustomField) -> str:
        text = printable(given)
        if "\n" in text or "\r" in text:
            raise ValidationError(
                _("Give one line; a Textarea field takes several."), code="invalid_text"
            )
        if len(text) > self.limit:
            raise too_long(self.limit)
        return text

    def measure(self, value: str) -> int:
        return len(value)

    def recognises(self, text: str, country: str) -> bool:
        return len(text) <= self.limit and "\n" not in text and "\r" not in text

    def form_options(self, field: CustomField) -> dict[str, Any]:
        return {"max_length": self.limit}

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminTextInputWidget()


class Textarea(FieldType[str]):
    """Several lines. Line ends are kept as `\\n`. Not indexed: looked through, not sorted by."""

    name = "Textarea"
    label = gettext_lazy("Long text")
    column = "value_long"
    sort_column = None
    operators = pick("eq", "ne", "contains", "not_contains", "starts_with", "exists")
    limit = 65_535
    schema = {"type": "string", "maxLength": 65_535}
    bounds = "length"
    has_pattern = True
    can_be_unique = False
    rank = 90
    form_class = CustomTextField

    def read(self, given: Any, field: CustomField) -> str:
        text = printable(given).replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > self.limit:
            raise too_long(self.limit)
        return text

    def measure(self, value: str) -> int:
        return len(value)

    def recognises(self, text: str, country: str) -> bool:
        return True

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminTextareaWidget(attrs={"rows": 4})


class Email(Text):
    """An e-mail address, kept in lower case, so that it is found and unique whatever the case."""

    name = "Email"
    label = gettext_lazy("E-mail")
    limit = 254
    schema = {"type": "string", "format": "email", "maxLength": 254}
    bounds = None
    canonical = True
    rank = 40

    def read(self, given: Any, field: CustomField) -> str:
        text = super().read(given, field).lower()
        try:
            validate_email(text)
        except ValidationError:
            raise ValidationError(
                _("%(value)s is not an e-mail address, such as jane@example.com."),
                code="invalid_email",
                params={"value": text[:100]},
            ) from None
        return text

    def recognises(self, text: str, country: str) -> bool:
        return "@" in text and _is_email(text)

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminEmailInputWidget()


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= Email.limit


class Phone(Text):
    """A phone number, kept in E.164. Without a calling code it is read as one of the
    organisation's country. An extension is refused: E.164 has none."""

    name = "Phone"
    label = gettext_lazy("Phone")
    limit = 40
    schema = {"type": "string", "description": "E.164", "maxLength": 16}
    bounds = None
    canonical = True
    rank = 50

    def read(self, given: Any, field: CustomField) -> str:
        return _e164(super().read(given, field), field.organisation.country)

    def text(self, value: str) -> str:
        return _international(value)

    def typed(self, value: str) -> str:
        return value

    def recognises(self, text: str, country: str) -> bool:
        """Only with its calling code: a bare number may be anything."""
        if not text.startswith("+"):
            return False
        try:
            _e164(text, country)
        except ValidationError:
            return False
        return True

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminTextInputWidget(attrs={"type": "tel"})


def _e164(text: str, country: str) -> str:
    phone = identity.read_phone(text, None, country)
    if phone.e164 is None or re.search(r"[^\d\s+().\-/]", text):
        raise ValidationError(
            _("%(value)s is not a phone number, such as +44 7700 900000."),
            code="invalid_phone",
            params={"value": text[:40]},
        )
    return phone.e164


@lru_cache(maxsize=4096)
def _international(e164: str) -> str:
    return phonenumbers.format_number(
        phonenumbers.parse(e164), phonenumbers.PhoneNumberFormat.INTERNATIONAL
    )


class URL(Text):
    """An address of the web: http or https."""

    name = "URL"
    label = gettext_lazy("URL")
    # As many bytes as fit PostgreSQL's index beside the rest of its row.
    limit = 2000
    schema = {"type": "string", "format": "uri", "maxLength": 2000}
    bounds = None
    rank = 30
    _validate = URLValidator(schemes=["http", "https"])

    def read(self, given: Any, field: CustomField) -> str:
        text = super().read(given, field)
        if not _is_url(text, self._validate):
            raise ValidationError(
                _("%(value)s is not a web address, such as https://example.com."),
                code="invalid_url",
                params={"value": text[:100]},
            )
        if len(text.encode()) > self.limit:
            raise too_long(self.limit)
        return text

    def recognises(self, text: str, country: str) -> bool:
        return text.startswith(("http://", "https://")) and _is_url(text, self._validate)

    def widget(self, field: CustomField) -> Widget:
        return UnfoldAdminURLInputWidget(attrs={"type": "url"})


def _is_url(text: str, validate: URLValidator) -> bool:
    try:
        validate(text)
        return bool(urlsplit(text).hostname)
    except (ValidationError, ValueError):
        return False
