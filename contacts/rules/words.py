"""Rules and durations as people say them."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from contacts.rules.groups import Group
from contacts.rules.types import ValueType
from crm import money

if TYPE_CHECKING:
    from contacts.rules.fields import Clause
    from contacts.rules.operators import Operator
    from contacts.rules.rule import Rule

MOST_VALUES = 5
"""As many values of a list as are named; the others are counted."""
_UNITS = {
    "PY": ngettext_lazy("%d year", "%d years"),
    "PM": ngettext_lazy("%d month", "%d months"),
    "PW": ngettext_lazy("%d week", "%d weeks"),
    "PD": ngettext_lazy("%d day", "%d days"),
    "TH": ngettext_lazy("%d hour", "%d hours"),
    "TM": ngettext_lazy("%d minute", "%d minutes"),
    "TS": ngettext_lazy("%d second", "%d seconds"),
}
_JOINED = {
    "all": gettext_lazy(" and "),
    "any": gettext_lazy(" or "),
    "none": gettext_lazy(" nor "),
}


def duration(written: str) -> str:
    """`P1DT2H` → 1 day 2 hours. What is no duration is answered as it is."""
    days, _t, clock = written.partition("T")
    parts = [
        str(_UNITS[f"{half}{unit}"] % int(count))
        for half, text in (("P", days), ("T", clock))
        for count, unit in re.findall(r"([0-9]+)([A-Z])", text)
        if f"{half}{unit}" in _UNITS
    ]
    return " ".join(parts) or written


def rule(said: Rule) -> str:
    """The whole rule in one sentence without an end: `Total orders is at least 3 and …`."""
    code = said.organisation.currency_code
    root = said.root
    return group(root, code) if isinstance(root, Group) else root.said(code)


def group(said: Group, currency_code: str, *, within: bool = False) -> str:
    """Conditions joined as they hold together; a group within another stands in brackets."""
    members = [
        group(one, currency_code, within=True)
        if isinstance(one, Group)
        else one.said(currency_code)
        for one in said.members
    ]
    if not members:
        return _("nobody") if said.kind == "any" else _("everybody")
    joined = str(_JOINED[said.kind]).join(members)
    if said.kind == "none":
        joined = (
            _("neither %(conditions)s") % {"conditions": joined}
            if len(members) > 1
            else (_("not %(condition)s") % {"condition": joined})
        )
    return f"({joined})" if within and len(members) > 1 else joined


def clause(said: Clause, currency_code: str) -> str:
    """`Total spend is at least £45.00`."""
    shown = value(said.field.type, said.operator, said.value, _currency(said, currency_code))
    return " ".join(filter(None, (str(said.field.label), str(said.operator.label), shown)))


def value(kind: ValueType, operator: Operator, given: Any, currency_code: str) -> str:
    """What a condition compares with, as its operator takes it."""
    match operator.shape:
        case "none":
            return ""
        case "duration" | "days" | "next_days":
            return duration(str(given))
        case "range":
            low, high = (_one(kind, one, currency_code) for one in given)
            return _("%(low)s and %(high)s") % {"low": low, "high": high}
        case "many":
            return several([_one(kind, one, currency_code) for one in given])
    return _one(kind, given, currency_code)


def found(asked: Clause, given: Any, currency_code: str) -> str:
    """What somebody has in the field of a condition: null, a value, or a list."""
    values = given if isinstance(given, list) else [] if given is None else [given]
    code = _currency(asked, currency_code)
    return several([_one(asked.field.type, one, code) for one in values])


def _currency(said: Clause, currency_code: str) -> str:
    """Of the money in a field: `contact.spendByCurrency.EUR` names its own."""
    _head, by_currency, code = said.field.name.rpartition("ByCurrency.")
    return code if by_currency else currency_code


def several(texts: list[str]) -> str:
    """`Bath, Wells and 3 more`."""
    if len(texts) <= MOST_VALUES:
        return ", ".join(texts)
    named, more = texts[: MOST_VALUES - 1], len(texts) - MOST_VALUES + 1
    counted = ngettext("%(count)d more", "%(count)d more", more) % {"count": more}
    return _("%(named)s and %(more)s") % {"named": ", ".join(named), "more": counted}


def _one(kind: ValueType, given: Any, currency_code: str) -> str:
    if kind.choices:
        return str(kind.choices.get(str(given), given))
    if isinstance(given, bool):
        return _("yes") if given else _("no")
    if kind.name == "money":
        return money.show(int(given), currency_code)
    if kind.name in ("date", "datetime") and isinstance(given, str):
        given = parse_date(given) or parse_datetime(given) or given
    if isinstance(given, datetime.datetime) and timezone.is_aware(given):
        given = timezone.localtime(given)
    return date_format(given, "DATE_FORMAT") if isinstance(given, datetime.date) else str(given)
