"""The types of activity: those that come with Regulars, and each organisation's own beside them.

Adding a built-in type is adding a line to `BUILT_IN`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from activities import locks
from activities.models import GIFT_CARD_REGISTERED, Activity, ActivityType
from activities.querysets import ActivityQuerySet
from organisations.models import Organisation


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A type that every organisation has. `silent`: it is no interaction of the contact's."""

    name: str
    counts_as_order: bool = False
    silent: bool = False


# Glu's names, to the letter; the last one is ours.
BUILT_IN = {
    type_.name: type_
    for type_ in (
        BuiltIn("Booking"),
        BuiltIn("Checked in"),
        BuiltIn("Checked out"),
        BuiltIn("Purchase", counts_as_order=True),
        BuiltIn("Shopify order", counts_as_order=True),
        BuiltIn("Golf reservation"),
        BuiltIn("Table reservation"),
        BuiltIn(GIFT_CARD_REGISTERED),
        BuiltIn("Added gift card to Apple Wallet"),
        BuiltIn("Viewed partner offer"),
        BuiltIn("Clicked partner offer link"),
        BuiltIn("Added partner offer to Apple wallet"),
        BuiltIn("Added partner offer to Google wallet"),
        BuiltIn("Membership started"),
        BuiltIn("Changed tier"),
        BuiltIn("Membership cancelled"),
        BuiltIn("Added membership card to Apple Wallet"),
        BuiltIn("Login"),
        BuiltIn("Connected to wifi"),
        BuiltIn("Contact merged in", silent=True),
        BuiltIn("Referral invite created"),
        BuiltIn("Referral invite completed"),
        BuiltIn("Refund"),
    )
}
CONTACT_MERGED_IN = "Contact merged in"
REFERRAL_INVITE_CREATED = "Referral invite created"
REFERRAL_INVITE_COMPLETED = "Referral invite completed"

BUILT_IN_ORDERS = frozenset(name for name, type_ in BUILT_IN.items() if type_.counts_as_order)
SILENT = frozenset(name for name, type_ in BUILT_IN.items() if type_.silent)


def hold(organisation_id: int, names: Collection[str]) -> dict[str, bool]:
    """Which of `names` are the organisation's own types: whether each counts as an order.

    No query when all are built in. Until the transaction ends nobody can change or delete these
    types; any number of transactions may hold them at once.
    """
    own = sorted(name for name in names if name not in BUILT_IN)
    if not own:
        return {}
    types = ActivityType.objects.for_organisation(organisation_id).filter(name__in=own)
    return {type_.name: type_.counts_as_order for type_ in locks.hold(types, "SHARE")}


def unknown(organisation: Organisation, names: Collection[str]) -> set[str]:
    """Those of `names` that are no type here. Holds the organisation's own ones, see `hold`."""
    strange = {name for name in names if name not in BUILT_IN}
    return strange - hold(organisation.pk, strange).keys()


def unknown_type(organisation: Organisation, name: str) -> ValidationError:
    """The error for a type that is not there, with what is spelt like it."""
    own = ActivityType.objects.for_organisation(organisation).values_list("name", flat=True)
    known = {type_.lower(): type_ for type_ in (*BUILT_IN, *own)}
    near = [known[key] for key in difflib.get_close_matches(name.lower(), known, 3, 0.6)]
    return ValidationError(
        _("%(type)s is not a type of activity. Did you mean %(near)s?")
        if near
        else _("%(type)s is not a type of activity; see GET /api/activity-types."),
        code="unknown_type",
        params={"type": name[:60], "near": _(" or ").join(near)},
    )


class Ledger:
    """The activities, as `contacts.rollups` knows them."""

    def activities(self) -> ActivityQuerySet:
        return Activity.objects.across_organisations()

    def order_types(self, organisation_id: int) -> Collection[str]:
        own = ActivityType.objects.for_organisation(organisation_id).filter(counts_as_order=True)
        return BUILT_IN_ORDERS.union(own.values_list("name", flat=True))

    def orders_among(self, organisation_id: int, types: Collection[str]) -> Collection[str]:
        own = hold(organisation_id, types)
        return BUILT_IN_ORDERS.union(name for name, is_order in own.items() if is_order)

    def silent_types(self) -> Collection[str]:
        return SILENT
