"""What the builder of rules (`static/regulars/rules.js`) asks the admin: what there is to choose
from, and what becomes of a rule while it is being edited."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts.models import Tag
from contacts.rules import Rule, catalogue, parse
from contacts.segments import reading
from crm import money
from crm.admin import choices
from organisations.models import Organisation

MOST_TAGS = 500
"""As many are suggested; any other can be typed."""
DECIMALS = 2
"""Those of most currencies."""
GROUPS = {
    "all": gettext_lazy("All of these hold"),
    "any": gettext_lazy("Any of these holds"),
    "none": gettext_lazy("None of these holds"),
}


def vocabulary(organisation: Organisation, about: Collection[str]) -> dict[str, Any]:
    """The catalogue of fields, with what a person needs to fill in values, and the builder's own
    words. A few queries."""
    return {
        **catalogue(organisation, about),
        "currency": organisation.currency_code,
        "digits": _uncommon_decimals(),
        "timezone": organisation.timezone,
        "suggestions": _suggestions(organisation),
        "words": _words(),
    }


def _uncommon_decimals() -> dict[str, int]:
    found = {code: money.exponent(code) for code, _name in choices.currencies()}
    return {code: digits for code, digits in found.items() if digits != DECIMALS}


def _suggestions(organisation: Organisation) -> dict[str, list[dict[str, str]]]:
    """For fields that take more than what is suggested; `currencies` for all that are one."""
    tags = Tag.objects.for_organisation(organisation).order_by("name")
    names = tags.values_list("name", flat=True)[:MOST_TAGS]
    return {
        "contact.tags": _options([(name, name) for name in names]),
        "contact.addresses.country": _options(choices.countries()),
        "contact.timezone": _options(choices.timezones()),
        "currencies": _options(choices.currencies()),
    }


def _options(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"value": value, "label": label} for value, label in pairs]


def examine(organisation: Organisation, rules: Any, about: Collection[str]) -> dict[str, Any]:
    """What is wrong with a rule by its path, or for how many contacts it holds and some of them.

    A rule that also speaks of an activity is only checked: without one nobody fits.
    """
    try:
        rule = parse(rules, organisation=organisation, about=about)
    except ValidationError as error:
        return {"errors": error.message_dict}
    return {} if "activity" in about else _preview(rule)


def _preview(rule: Rule) -> dict[str, Any]:
    found = reading.preview(rule)
    return {
        "said": _counted(found),
        "contacts": [
            {
                "name": str(contact),
                "url": reverse("admin:contacts_contact_change", args=[contact.pk]),
            }
            for contact in found.contacts
        ],
    }


def _counted(found: reading.Preview) -> str:
    if found.count is None:
        return _("Counting the contacts takes too long.")
    if found.more:
        return _("It holds for more than %(count)s contacts.") % {"count": f"{found.count:,}"}
    if not found.count:
        return _("It holds for no contact.")
    return ngettext(
        "It holds for %(count)s contact.", "It holds for %(count)s contacts.", found.count
    ) % {"count": f"{found.count:,}"}


def _words() -> dict[str, Any]:
    return {
        "rule": _("Rule"),
        "edit_json": _("Edit as JSON"),
        "edit_builder": _("Edit with the builder"),
        "unreadable": _("This is no JSON that can be read: {reason}"),
        "too_large": _("a number is too large for the builder"),
        "no_answer": _("The server does not answer; the rule could not be checked."),
        "groups": {kind: str(label) for kind, label in GROUPS.items()},
        "empty": {
            "all": _("No conditions: it holds for everybody."),
            "any": _("No conditions: it holds for nobody."),
            "none": _("No conditions: it holds for everybody."),
        },
        "group": _("How the conditions hold together"),
        "condition": _("Condition"),
        "add_condition": _("Add a condition"),
        "add_group": _("Add a group"),
        "move_up": _("Move up"),
        "move_down": _("Move down"),
        "remove": _("Remove"),
        "field": _("Field"),
        "search": _("Search a field …"),
        "choose_field": _("Choose a field."),
        "operator": _("Operator"),
        "data": _("Data of the activity …"),
        "path": _("Where in the data"),
        "as_json": _("Condition as JSON"),
        "kept": _("The builder does not know this. It stays as it is written:"),
        "choose": _("Choose …"),
        "type_and_enter": _("Type and press Enter"),
        "gone": _("{value} (not a choice any more)"),
        "add_to": _("Add to: {field}"),
        "take_away": _("Take away: {value}"),
        "yes": _("Yes"),
        "no": _("No"),
        "and": _("and"),
        "smallest": _("from"),
        "largest": _("to"),
        "time": _("time"),
        "whole_day": _("Without a time, the whole day"),
        "unit": _("unit"),
        "units": {
            "Y": _("years"),
            "M": _("months"),
            "W": _("weeks"),
            "D": _("days"),
            "TH": _("hours"),
            "TM": _("minutes"),
            "TS": _("seconds"),
            "ISO": _("as ISO 8601"),
        },
        "kind": _("what it is"),
        "kinds": {"string": _("Text"), "number": _("Number"), "boolean": _("Yes or no")},
        "where": {
            "type": _("Of type"),
            "within": _("Within the last"),
            "source": _("From source"),
            "spend": _("Each with spend"),
            "currencyCode": _("In currency"),
        },
        "more": _("Source, spend and currency"),
        "add_amount": _("Add an amount"),
        "comparison": _("comparison"),
        "comparisons": {
            "eq": _("equal to"),
            "gt": _("more than"),
            "gte": _("at least"),
            "lt": _("less than"),
            "lte": _("at most"),
        },
    }
