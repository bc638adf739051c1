"""What every type of custom field answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from customfields import patterns
from customfields.formfields import CustomFormField
from customfields.operators import Operator

if TYPE_CHECKING:
    from django.forms import Widget

    from customfields.models import CustomField

T = TypeVar("T")


class ValueRow(Protocol):
    """A row of `CustomFieldValue` as `with_field()` reads it, with its option beside it."""

    option_value: str | None
    option_label: str | None


class FieldType(Generic[T]):
    """A type of custom field: how a value comes in, where it is kept, how it goes out.

    A value has four forms. As *given*: a text or JSON's own type. *Parsed*, a `T`: what this class
    works with. In *cells*: what the value column of each of its rows holds. And going out as
    `text` (the API's `value`), `display` and `typed`.

    `parse(text(x)) == parse(typed(x)) == x` for every value `x`.
    """

    name: ClassVar[str]
    """As the API spells it; stored in `CustomField.type`."""
    label: ClassVar[str | Promise]
    """As people read it."""
    column: ClassVar[str]
    """The column of `CustomFieldValue` that holds it."""
    sort_column: ClassVar[str | None]
    """The column that contacts are sorted by, which must have an index; None: not sortable."""
    operators: ClassVar[Mapping[str, Operator]]
    """What filters may ask."""
    schema: ClassVar[Mapping[str, Any]]
    """The OpenAPI schema of `typed`."""
    bounds: ClassVar[str | None] = None
    """What `minimum` and `maximum` bound, as a word of `_BOUNDED`; None: they do not apply."""
    has_pattern: ClassVar[bool] = False
    can_be_unique: ClassVar[bool] = True
    has_options: ClassVar[bool] = False
    multiple: ClassVar[bool] = False
    """Whether a value is several rows."""
    canonical: ClassVar[bool] = False
    """Whether all spellings of a text are stored as one, so that comparing it is exact."""
    rank: ClassVar[int | None] = None
    """When an import guesses types, the fitting one of smallest rank is taken; None: never."""
    form_class: ClassVar[type[CustomFormField]]

    def parse(self, given: Any, field: CustomField) -> T | None:
        """The value, checked against the field's rules; None for nothing (null, blank, empty list).

        Takes any JSON, and parsed values. Raises ValidationError, and nothing else.
        """
        if self.is_blank(given):
            return None
        value = self.read(given, field)
        self.check(value, field)
        return value

    def is_blank(self, given: Any) -> bool:
        """Whether this stands for no value."""
        return given is None or given in ((), []) or (isinstance(given, str) and not given.strip())

    def read(self, given: Any, field: CustomField) -> T:
        """What `given`, which is not blank, says in this type. Raises ValidationError."""
        raise NotImplementedError

    def check(self, value: T, field: CustomField) -> None:
        """Raise ValidationError unless `value` keeps to the field's minimum, maximum, pattern."""
        if self.bounds is not None:
            _check_bounds(self.measure(value), self.bounds, field)
        if field.pattern and not patterns.matches(field.pattern, self.text(value)):
            raise ValidationError(
                _("Does not match the pattern %(pattern)s."),
                code="pattern",
                params={"pattern": field.pattern},
            )

    def measure(self, value: T) -> Decimal | int:
        """What `minimum` and `maximum` are compared with."""
        raise NotImplementedError

    def cells(self, value: T, field: CustomField) -> Sequence[Any]:
        """What the value column holds, a cell for each row. No query."""
        return [value]

    def from_rows(self, rows: Sequence[ValueRow]) -> T:
        """The value that a contact's rows of one field hold."""
        value: T = getattr(rows[0], self.column)
        return value

    def text(self, value: T) -> str:
        """The string form, which `parse` reads back."""
        return str(value)

    def typed(self, value: T) -> Any:
        """The JSON form, which `parse` reads back."""
        return self.text(value)

    def display(self, value: T, labels: Mapping[str, str]) -> str:
        """What a person reads, in their language. `labels` are those of the options."""
        return self.text(value)

    def recognises(self, text: str, country: str) -> bool:
        """Whether a cell of an imported file looks like this type."""
        return False

    def form_field(self, field: CustomField) -> CustomFormField:
        """The field of the contact form."""
        return self.form_class(
            custom_field=field, widget=self.widget(field), **self.form_options(field)
        )

    def form_options(self, field: CustomField) -> dict[str, Any]:
        """More arguments for `form_class`."""
        return {}

    def widget(self, field: CustomField) -> Widget:
        """The input of the admin."""
        raise NotImplementedError

    def for_input(self, value: T) -> Any:
        """What the input shows for a value."""
        return self.text(value)


def printable(given: Any) -> str:
    """`given`, a text, without the spaces around it. Raises ValidationError for anything else,
    and for what no database keeps or no person sees: control characters, halves of a character."""
    if not isinstance(given, str):
        raise ValidationError(_("Give a text."), code="invalid_type")
    text = given.strip()
    if text.isprintable():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError(_("This is not valid Unicode."), code="invalid_text") from None
    if any(ord(character) < 32 and character not in "\n\r\t" for character in text):
        raise ValidationError(_("Control characters are not allowed."), code="invalid_text")
    return text


def too_long(limit: int) -> ValidationError:
    """The error for a text of more than `limit` characters."""
    return ValidationError(
        _("Give at most %(limit)d characters."), code="max_length", params={"limit": limit}
    )


def _number_bound(bound: str, amount: Decimal) -> str:
    message = _("Give %(limit)s or more.") if bound == "minimum" else _("Give %(limit)s or less.")
    return message % {"limit": shown(amount)}


def _length_bound(bound: str, amount: Decimal) -> str:
    message = (
        ngettext(
            "Give at least %(limit)s character.", "Give at least %(limit)s characters.", int(amount)
        )
        if bound == "minimum"
        else ngettext(
            "Give at most %(limit)s character.", "Give at most %(limit)s characters.", int(amount)
        )
    )
    return message % {"limit": shown(amount)}


def _count_bound(bound: str, amount: Decimal) -> str:
    message = (
        ngettext("Choose at least %(limit)s.", "Choose at least %(limit)s.", int(amount))
        if bound == "minimum"
        else ngettext("Choose at most %(limit)s.", "Choose at most %(limit)s.", int(amount))
    )
    return message % {"limit": shown(amount)}


_BOUNDED = {"number": _number_bound, "length": _length_bound, "count": _count_bound}


def _check_bounds(measured: Decimal | int, bounds: str, field: CustomField) -> None:
    if field.minimum is not None and measured < field.minimum:
        raise ValidationError(_BOUNDED[bounds]("minimum", field.minimum), code="minimum")
    if field.maximum is not None and measured > field.maximum:
        raise ValidationError(_BOUNDED[bounds]("maximum", field.maximum), code="maximum")


def shown(number: Decimal) -> str:
    """A decimal without trailing zeros or exponent: `42`, `4.5`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
