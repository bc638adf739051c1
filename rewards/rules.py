"""What rules may ask of credit: `contact.credit`, `contact.creditByCurrency.EUR`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from django.db.models import Exists, Q, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.rules import Clause, Field, Reading, Vocabulary, types
from contacts.rules.checks import Check
from contacts.rules.fields import FieldClause
from contacts.rules.queries import Query
from contacts.rules.subjects import Facts, Loader, Need, Subject
from organisations.models import Organisation, validate_currency
from rewards.models import CreditMovement

OWN = "contact.credit"
PREFIX = "contact.creditByCurrency."
GROUP = gettext_lazy("Credit")


class Balances:
    """Loads what contacts can spend at the moment; a need is a currency."""

    def load(self, ids: Sequence[int], needs: Collection[str], at: Any) -> Facts:
        """See `contacts.rules.subjects.Loader`."""
        rows = CreditMovement.objects.across_organisations().spendable(at.now)
        rows = rows.filter(contact__in=ids, currency_code__in=needs).order_by()
        told = rows.values_list("contact_id", "currency_code").annotate(credit=Sum("amount"))
        found: dict[int, dict[Need, Sequence[Any]]] = {}
        for pk, currency, amount in told:
            found.setdefault(pk, {})[currency] = [int(amount)]
        return found


BALANCES = Balances()


class CreditClause(FieldClause):
    """A balance, compared: time alone changes it, when something expires."""

    @property
    def moves_with_time(self) -> bool:
        return True


class CreditIn(Field):
    """What a contact can spend in a currency; who never had credit has 0."""

    def __init__(self, name: str, label: Any, currency_code: str) -> None:
        super().__init__(name, label, GROUP, types.Money())
        self.currency_code = currency_code

    @property
    def head(self) -> str:
        return self.name if self.name == OWN else PREFIX.rstrip(".")

    def needs(self) -> Mapping[Loader, Collection[Need]]:
        return {BALANCES: [self.currency_code]}

    def values(self, subject: Subject) -> Sequence[Any]:
        return subject.fact(BALANCES, self.currency_code) or [0]

    def condition(self, check: Check, query: Query) -> Q:
        rows = CreditMovement.objects.for_organisation(query.organisation)
        rows = rows.spendable(query.at.now).filter(currency_code=self.currency_code)
        if not check.holds(0):
            return _whose_sum(rows, check.on("credit"), query)
        return ~_whose_sum(rows, ~check.on("credit"), query.trying())

    def clause(self, reading: Reading, path: str, data: Mapping[str, Any]) -> Clause | None:
        read = super().clause(reading, path, data)
        if read is None:
            return None
        return CreditClause(**{field.name: getattr(read, field.name) for field in fields(read)})


def _whose_sum(rows: QuerySet[Any], fits: Q, query: Query) -> Q:
    """Contacts that have some of these rows, of which the sum fits."""
    rows = query.bounded(rows)
    if not query.drives:
        rows = query.of_each(rows)
    summed = rows.order_by().values("contact").annotate(credit=Sum("amount"))
    found = summed.filter(fits).values("contact")
    return Q(pk__in=found) if query.drives else Q(Exists(found))


class Credit(Vocabulary):
    """Balances: in the organisation's currency, and in any."""

    def find(self, name: str, reading: Reading) -> Field | None:
        if name == OWN:
            return self._own(reading.organisation)
        if not name.startswith(PREFIX):
            return None
        code = name.removeprefix(PREFIX)
        validate_currency(code)
        return self._in(code)

    def fields(self, organisation: Organisation) -> Iterable[Field]:
        used = CreditMovement.objects.for_organisation(organisation).order_by()
        codes = set(used.values_list("currency_code", flat=True).distinct())
        others = sorted(codes - {organisation.currency_code})
        return [self._own(organisation), *(self._in(code) for code in others)]

    def _own(self, organisation: Organisation) -> Field:
        return CreditIn(OWN, gettext_lazy("Credit"), organisation.currency_code)

    def _in(self, code: str) -> Field:
        label = _("Credit in %(currency)s") % {"currency": code}
        return CreditIn(f"{PREFIX}{code}", label, code)
