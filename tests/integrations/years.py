"""Years of another system's news: disturbed on their way, and what they must come to all the same.

A year is a list of facts in the order in which they happened. `disturbed` is how they may arrive;
`outcome` is what an organisation is left with, told so that two of them can be compared.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings

from activities.models import Activity, Booking
from contacts.models import Contact
from organisations.models import Organisation

Fact = TypeVar("Fact")

LATE = 0.05
TWICE = 0.2

SLOWLY = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # a seed cannot be made smaller
)


def disturbed(facts: Sequence[Fact], dice: random.Random) -> list[tuple[Fact, bool]]:
    """The facts in any order, a fifth of them twice, and after all of them one in twenty once
    more, as an older state that is delivered late: each with whether it is such a new delivery."""
    told = [(fact, False) for fact in facts]
    told += [one for one in told if dice.random() < TWICE]
    dice.shuffle(told)
    late = dice.sample(list(facts), max(1, round(len(facts) * LATE)))
    return told + [(fact, True) for fact in late]


def outcome(organisation: Organisation) -> dict[str, Any]:
    """Everybody with what is known of them, their activities and totals, in an order that does
    not depend on how it came to be."""
    contacts = (
        Contact.objects.for_organisation(organisation)
        .select_related("rollup")
        .prefetch_related("addresses", "external_ids", "permissions", "tags")
    )
    activities = Activity.objects.for_organisation(organisation).select_related(
        "contact", "booking"
    )
    return {
        "contacts": sorted((_contact(one) for one in contacts), key=repr),
        "activities": sorted((_activity(one) for one in activities), key=repr),
    }


def _contact(contact: Contact) -> dict[str, Any]:
    rollup = contact.rollup
    return {
        **_columns(contact, "email_address", "phone_number", "first_name", "last_name", "name"),
        **_columns(rollup, "total_spend", "total_orders", "last_interacted_at"),
        "addresses": sorted(
            repr(_columns(one, "line1", "city", "country")) for one in contact.addresses.all()
        ),
        "ids": sorted((one.source, one.external_id) for one in contact.external_ids.all()),
        "permissions": sorted((one.channel, one.status) for one in contact.permissions.all()),
        "tags": sorted(one.name for one in contact.tags.all()),
    }


def _activity(activity: Activity) -> dict[str, Any]:
    return {
        **_columns(activity, "type", "external_reference", "source", "happened_at"),
        **_columns(activity, "spend", "currency_code", "data"),
        "of": _columns(activity.contact, "email_address", "name"),
        "booking": _booking(activity.booking),
    }


def _booking(booking: Booking | None) -> dict[str, Any] | None:
    if booking is None:
        return None
    return {
        **_columns(booking, "external_reference", "status", "check_in", "check_out"),
        **_columns(booking, "number_of_guests", "total", "currency_code"),
    }


def _columns(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
