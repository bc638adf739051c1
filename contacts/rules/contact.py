"""What rules may ask of a contact itself: its columns, addresses, tags and totals."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts import identity
from contacts.models import Address, Contact, ContactRollup, ContactTag, SpendInCurrency, Tag
from contacts.rules import types
from contacts.rules.checks import Check
from contacts.rules.fields import ContactColumn, Field, Fixed, RowsColumn, Vocabulary
from contacts.rules.parsing import Reading
from contacts.rules.queries import Query
from contacts.rules.subjects import Facts, Loader, Need, Rows, Subject
from organisations.models import Organisation, validate_country, validate_currency

PERSON = gettext_lazy("Contact")
ADDRESS = gettext_lazy("Addresses")
TAGS = gettext_lazy("Tags")
TOTALS = gettext_lazy("Totals")
SCORES = gettext_lazy("RFM scores")

TOTAL_ROWS = Rows(ContactRollup.objects.all())
ADDRESS_ROWS = Rows(Address.objects.all())
TAG_ROWS = Rows(ContactTag.objects.all())
PUT_ON_ROWS = Rows(ContactTag.objects.exclude(tag__kind=Tag.Kind.SEGMENT))
TAG_FIELD = "contact.tags"

_TEXT = types.Text()
_NUMBER = types.Number()
_DATE = types.Date()
_MOMENT = types.Moment()


class PhoneNumber(ContactColumn):
    """The phone in E.164. A whole number is read as one of the organisation's country; part of one
    is sought by its digits."""

    def clause(self, reading: Reading, path: str, data: Mapping[str, Any]) -> Any:
        country = reading.organisation.country
        own = PhoneNumber(
            self.name,
            self.label,
            self.group,
            types.Text(lambda text: _e164(text, country), _digits),
            column=self.column,
            nullable=True,
        )
        return Field.clause(own, reading, path, data)


def _e164(text: str, country: str) -> str:
    phone = identity.read_phone(text, None, country)
    if phone.e164 is None:
        raise ValidationError(_("This number stands for nobody."), code="invalid_phone")
    return phone.e164


def _digits(text: str) -> str:
    return re.sub(r"[\s().\-/]", "", text)


class TagNames(RowsColumn):
    """The tags of a contact, by their folded names.

    Whether there are any at all is asked of those that no segment put on: a segment of contacts
    without tags would else turn them away by its own.
    """

    def clause(self, reading: Reading, path: str, data: Mapping[str, Any]) -> Any:
        if data.get("operator") not in {"is_set", "is_not_set"}:
            return super().clause(reading, path, data)
        own = RowsColumn(
            self.name, self.label, self.group, self.type, loader=PUT_ON_ROWS, column=self.column
        )
        return own.clause(reading, path, data)

    def values(self, subject: Subject) -> Sequence[Any]:
        return [identity.fold(name) for name in super().values(subject)]

    def shown(self, subject: Subject) -> Sequence[Any]:
        return sorted(super().values(subject))

    def condition(self, check: Check, query: Query) -> Q:
        # The tag is looked up first: few of them, by name; then who carries it.
        tags = Tag.objects.for_organisation(query.organisation).filter(check.on("key"))
        rows = ContactTag.objects.across_organisations()
        return query.some(rows.filter(tag__in=tags.values("pk")))


class ForeignSpend:
    """Loads what a contact spent in other currencies; a need is a currency."""

    def load(self, ids: Sequence[int], needs: Collection[str], at: Any) -> Facts:
        """See `Loader`."""
        rows = SpendInCurrency.objects.across_organisations().filter(
            contact__in=ids, currency_code__in=needs
        )
        found: dict[int, dict[Need, Sequence[Any]]] = {}
        for pk, currency, amount in rows.values_list("contact_id", "currency_code", "amount"):
            found.setdefault(pk, {})[currency] = [amount]
        return found


FOREIGN_SPEND = ForeignSpend()


class SpendIn(Field):
    """Spend in one currency that is not the organisation's; nothing spent is 0."""

    def __init__(self, currency_code: str) -> None:
        super().__init__(
            f"contact.spendByCurrency.{currency_code}",
            _("Spend in %(currency)s") % {"currency": currency_code},
            TOTALS,
            types.Money(),
        )
        self.currency_code = currency_code

    @property
    def head(self) -> str:
        return "contact.spendByCurrency"

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        return {FOREIGN_SPEND: [self.currency_code]}

    def values(self, subject: Subject) -> Sequence[Any]:
        return subject.fact(FOREIGN_SPEND, self.currency_code) or [0]

    def condition(self, check: Check, query: Query) -> Q:
        rows = SpendInCurrency.objects.for_organisation(query.organisation).filter(
            currency_code=self.currency_code
        )
        if not check.holds(0):
            return query.some(rows.filter(check.on("amount")))
        return ~query.trying().some(rows.exclude(check.on("amount")))


class SpendByCurrency(Vocabulary):
    """`contact.spendByCurrency.EUR`; of the organisation's own currency it is the total spend."""

    PREFIX = "contact.spendByCurrency."

    def find(self, name: str, reading: Reading) -> Field | None:
        if not name.startswith(self.PREFIX):
            return None
        code = name.removeprefix(self.PREFIX)
        validate_currency(code)
        if code == reading.organisation.currency_code:
            return RowsColumn(
                name,
                _("Total spend"),
                TOTALS,
                types.Money(),
                loader=TOTAL_ROWS,
                column="total_spend",
            )
        return SpendIn(code)

    def fields(self, organisation: Organisation) -> list[Field]:
        spent = SpendInCurrency.objects.for_organisation(organisation)
        codes = spent.values_list("currency_code", flat=True).distinct().order_by("currency_code")
        return [SpendIn(code) for code in codes]


def _total(name: str, label: Any, type: types.ValueType, column: str, group: Any) -> RowsColumn:
    return RowsColumn(f"contact.{name}", label, group, type, loader=TOTAL_ROWS, column=column)


def _address(name: str, label: Any, type: types.ValueType) -> RowsColumn:
    return RowsColumn(
        f"contact.addresses.{name}", label, ADDRESS, type, loader=ADDRESS_ROWS, column=name
    )


def _column(
    name: str, label: Any, type: types.ValueType, column: str, *, nullable: bool = False
) -> ContactColumn:
    return ContactColumn(f"contact.{name}", label, PERSON, type, column=column, nullable=nullable)


OWN = Fixed(
    [
        _column(
            "kind",
            gettext_lazy("Kind"),
            types.Choice({value: str(label) for value, label in Contact.Kind.choices}),
            "kind",
        ),
        _column("emailAddress", gettext_lazy("E-mail"), _TEXT, "email_address", nullable=True),
        PhoneNumber(
            "contact.phoneNumber",
            gettext_lazy("Phone"),
            PERSON,
            _TEXT,
            column="phone_number_e164",
            nullable=True,
        ),
        _column(
            "phoneNumberCountryCode",
            gettext_lazy("Calling code"),
            types.Text(lambda text: text.removeprefix("+")),
            "phone_number_country_code",
            nullable=True,
        ),
        _column("firstName", gettext_lazy("First name"), _TEXT, "first_name"),
        _column("lastName", gettext_lazy("Last name"), _TEXT, "last_name"),
        _column("name", gettext_lazy("Name"), _TEXT, "name"),
        _column("dob", gettext_lazy("Date of birth"), _DATE, "dob", nullable=True),
        _column("timezone", gettext_lazy("Time zone"), _TEXT, "timezone"),
        _column("createdAt", gettext_lazy("Created"), _MOMENT, "created_at"),
        _total("updatedAt", gettext_lazy("Updated"), _MOMENT, "changed_at", PERSON),
        _column("redactedAt", gettext_lazy("Redacted"), _MOMENT, "redacted_at", nullable=True),
        _address("city", gettext_lazy("City"), _TEXT),
        _address("county", gettext_lazy("County"), _TEXT),
        _address("postcode", gettext_lazy("Postcode"), _TEXT),
        _address("country", gettext_lazy("Country"), types.Code(validate_country)),
        TagNames(
            TAG_FIELD,
            gettext_lazy("Tags"),
            TAGS,
            types.Tags(),
            loader=TAG_ROWS,
            column="tag__name",
        ),
        _total("totalSpend", gettext_lazy("Total spend"), types.Money(), "total_spend", TOTALS),
        _total("totalOrders", gettext_lazy("Orders"), _NUMBER, "total_orders", TOTALS),
        _total(
            "lastInteractedAt",
            gettext_lazy("Last interaction"),
            _MOMENT,
            "last_interacted_at",
            TOTALS,
        ),
        _total("lastOrderAt", gettext_lazy("Last order"), _MOMENT, "last_order_at", TOTALS),
        _total("recency", gettext_lazy("Recency"), _NUMBER, "recency", SCORES),
        _total("frequency", gettext_lazy("Frequency"), _NUMBER, "frequency", SCORES),
        _total("monetary", gettext_lazy("Monetary"), _NUMBER, "monetary", SCORES),
    ]
)
VOCABULARIES = (OWN, SpendByCurrency())
