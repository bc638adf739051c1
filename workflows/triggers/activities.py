"""What activities start. All hear the same event: an activity was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as gettext_now
from django.utils.translation import gettext_lazy as _

from activities.models import GIFT_CARD_REGISTERED, Activity
from activities.types import BUILT_IN_ORDERS, Ledger
from workflows import checks, events, inputs
from workflows.steps.base import CleanContext
from workflows.triggers.base import Family, Happening, Trigger, trigger
from workflows.words import Said, several

BOOKING = "Booking"
MEMBERSHIP_STARTED = "Membership started"
SUBSCRIPTION_STARTED = ("Subscription started", "Subscription created")


class ActivityTrigger(Trigger):
    """One that hears of activities."""

    event = events.ACTIVITY_CREATED
    about = ("contact", "activity")
    family = Family.ACTIVITY

    def takes(self, data: Mapping[str, Any], happening: Happening) -> bool:
        activity = happening.activity
        return activity is not None and self.fits(data, activity)

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        """Whether it starts at this activity."""
        raise NotImplementedError


def earlier(activity: Activity) -> Any:
    """The contact's activities that were recorded before this one, history included."""
    return Activity.objects.filter(
        organisation=activity.organisation_id, contact=activity.contact_id, pk__lt=activity.pk
    )


def order_types(activity: Activity) -> frozenset[str]:
    """The types that count as orders in its organisation."""
    return frozenset(Ledger().order_types(activity.organisation_id))


def is_order(activity: Activity) -> bool:
    """Whether it counts as an order. A query for an own type only."""
    if activity.type in BUILT_IN_ORDERS:
        return True
    return not events.is_built_in(activity.type) and activity.type in order_types(activity)


ORDERS = (*(events.of_type(name) for name in sorted(BUILT_IN_ORDERS)), events.OF_OWN_TYPE)


@trigger
class ActivityCreated(ActivityTrigger):
    """`{"activityTypes": ["Purchase"]}`; any type without."""

    type = "activity_created"
    label = _("An activity is recorded")
    hint = _("Of any type, or of those that you choose.")
    icon = "bolt"
    keys = frozenset({"activityTypes"})
    form = (
        inputs.ActivityTypes(
            "activityTypes", _("Of any of these types"), help=_("None chosen: of any type.")
        ),
    )

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return several(data.get("activityTypes"))

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        with errors.at("activityTypes"):
            checks.activity_types(data.get("activityTypes"), context.organisation)
        errors.raise_if_any()

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return [events.of_type(name) for name in _named(data)] or [self.event]

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        wanted = _named(data)
        return not wanted or activity.type in wanted


def _named(data: Mapping[str, Any]) -> Sequence[str]:
    given = data.get("activityTypes") or ()
    return [given] if isinstance(given, str) else given


@trigger
class OrderCreated(ActivityTrigger):
    """An activity that counts as an order: a purchase, a Shopify order, own types that do."""

    type = "order_created"
    label = _("An order is placed")
    hint = _("A purchase, or another type that counts as an order.")
    icon = "shopping_cart"

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return ORDERS

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        return is_order(activity)


@trigger
class CustomerCreated(ActivityTrigger):
    """The contact's first order, in the order in which they were recorded; history counts."""

    type = "customer_created"
    label = _("A contact becomes a customer (first order)")
    hint = _("The first order, whenever the contact came.")
    icon = "person_celebrate"

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return ORDERS

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        types = order_types(activity)
        return activity.type in types and not earlier(activity).filter(type__in=types).exists()


@trigger
class BookingCreated(ActivityTrigger):
    """The first activity that speaks of a booking, or one of type Booking that names none."""

    type = "booking_created"
    label = _("A booking is made")
    hint = _("The first time that a booking is told of.")
    icon = "hotel"

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return [events.of_type(BOOKING), events.WITH_BOOKING]

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        if activity.booking_id is None:
            return activity.type == BOOKING
        same = Activity.objects.filter(
            organisation=activity.organisation_id, booking=activity.booking_id
        )
        return not same.filter(pk__lt=activity.pk).exists()


@trigger
class GiftCardPurchased(ActivityTrigger):
    """A gift card was registered, or an order names one: the first activity that speaks of it."""

    type = "gift_card_purchased"
    label = _("A gift card is bought")
    hint = _("A gift card is registered, or an order names one.")
    icon = "card_giftcard"

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return [events.of_type(GIFT_CARD_REGISTERED), events.WITH_GIFT_CARD]

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        registered = activity.type == GIFT_CARD_REGISTERED
        if activity.gift_card is None:
            return registered
        if not registered and not is_order(activity):
            return False
        types = {GIFT_CARD_REGISTERED, *order_types(activity)}
        same = earlier(activity).filter(gift_card=activity.gift_card, type__in=types)
        return not same.exists()


@trigger
class MemberCreated(ActivityTrigger):
    """An activity `Membership started`."""

    type = "member_created"
    label = _("A contact becomes a member")
    hint = _("A membership has started.")
    icon = "card_membership"

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return [events.of_type(MEMBERSHIP_STARTED)]

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        return activity.type == MEMBERSHIP_STARTED


@trigger
class SubscriptionCreated(ActivityTrigger):
    """An activity of the organisation's own type `Subscription started` or `Subscription created`,
    or of those in `activityTypes`."""

    type = "subscription_created"
    label = _("A subscription begins")
    hint = _("An activity by which a subscription begins.")
    icon = "autorenew"
    keys = frozenset({"activityTypes"})
    form = (
        inputs.ActivityTypes(
            "activityTypes",
            _("By an activity of any of these types"),
            help=_("None chosen: “Subscription started” or “Subscription created”."),
        ),
    )

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return several(data.get("activityTypes"))

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        ActivityCreated().clean(data, context)

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return [events.of_type(name) for name in _named(data) or SUBSCRIPTION_STARTED]

    def fits(self, data: Mapping[str, Any], activity: Activity) -> bool:
        return activity.type in (_named(data) or SUBSCRIPTION_STARTED)


@trigger
class BookingStatusChanged(Trigger):
    """`{"from": "Confirmed", "to": "Cancelled"}`, either of them a text or a list; any without.
    Upper and lower case are the same. The activity is the latest that speaks of the booking."""

    type = "booking_status_changed"
    label = _("A booking's status changes")
    hint = _("Confirmed, cancelled, or whatever your system calls it.")
    icon = "published_with_changes"
    event = events.BOOKING_STATUS_CHANGED
    keys = frozenset({"from", "to"})
    about = ("contact", "activity")
    family = Family.ACTIVITY
    form = (
        inputs.Lines("from", _("From"), help=_("One on each line; empty: from any.")),
        inputs.Lines("to", _("To"), help=_("One on each line; empty: to any.")),
    )

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        told = {key: several(_statuses(data.get(key))) for key in ("from", "to")}
        if told["from"] and told["to"]:
            return gettext_now("From %(from)s to %(to)s") % told
        if told["from"] or told["to"]:
            return (gettext_now("To %(to)s") if told["to"] else gettext_now("From %(from)s")) % told
        return ""

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        for key in ("from", "to"):
            with errors.at(key):
                for one in _statuses(data.get(key)) or ():
                    checks.text(one, longest=60)
        errors.raise_if_any()

    def takes(self, data: Mapping[str, Any], happening: Happening) -> bool:
        for key in ("from", "to"):
            wanted = _statuses(data.get(key))
            if wanted and happening.payload.get(key, "").casefold() not in {
                one.casefold() for one in wanted
            }:
                return False
        return True


def _statuses(given: Any) -> list[str]:
    if given is None or given == "":
        return []
    return given if isinstance(given, list) else [given]
