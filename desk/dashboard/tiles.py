"""The figures of a period as tiles: each with the list behind it, and the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from desk.dashboard import links, wording
from desk.dashboard.links import Span


@dataclass(frozen=True)
class Change:
    """How a figure compares with the one of the period before."""

    way: str
    """`up`, `down` or `same`: where the arrow points."""
    text: str
    spoken: str


@dataclass(frozen=True)
class Tile:
    """A figure, the list behind it, and the one before."""

    label: str
    value: str
    href: str
    before: str
    before_href: str
    change: Change | None
    more: Sequence[tuple[str, str]] = ()
    """Further lines with their links: money of other currencies."""
    hint: str = ""


def of_people(found: Mapping[str, Any], spans: Spans) -> list[Tile]:
    """How many contacts are new, and how many were active."""
    return [
        _counted(_("New contacts"), found, "new", links.new_contacts, spans),
        _counted(
            _("Active contacts"),
            found,
            "active",
            links.active_contacts,
            spans,
            hint=_("With whom something happened."),
        ),
    ]


Amounts = Mapping[str, int]
"""Money by currency."""


class Spans(NamedTuple):
    """The times of the period and of the one before."""

    now: Span
    before: Span


def _counted(
    label: str, found: Mapping[str, Any], name: str, link: Any, spans: Spans, *, hint: str = ""
) -> Tile:
    now, before = spans
    value, former = found["now"][name], found["before"][name]
    return Tile(
        label=label,
        value=wording.whole(value),
        href=link(now),
        before=wording.whole(former),
        before_href=link(before),
        change=change(value, former),
        hint=hint,
    )


def of_activities(
    found: Mapping[str, Any], spans: Spans, own: str, *, with_people: bool
) -> list[Tile]:
    """What happened and what was spent; `own` is the currency that comes first. The share of those
    who ordered again is of contacts, and shown to who may see them."""
    tiles = [
        _counted(_("Activities"), found, "activities", links.activities, spans),
        _money_tile(
            _("Spend"),
            own,
            (_some(found["now"]["spend"]), found["before"]["spend"]),
            links.money,
            spans,
        ),
        _counted(_("Orders"), found, "orders", links.orders, spans),
    ]
    if with_people:
        tiles.append(_repeat_tile(found, spans))
    averages = (_averages(found["now"]["ordered"]), _averages(found["before"]["ordered"]))
    return [*tiles, _money_tile(_("Average order"), own, averages, links.orders, spans)]


def _some(amounts: Mapping[str, int]) -> dict[str, int]:
    return {currency: amount for currency, amount in amounts.items() if amount}


def _averages(ordered: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    return {currency: wording.mean(total, count) for currency, (count, total) in ordered.items()}


def _money_tile(
    label: str,
    own: str,
    amounts: tuple[Mapping[str, int], Mapping[str, int]],
    link: Any,
    spans: Spans,
) -> Tile:
    (found, former), (now, before) = amounts, spans
    value, its_former = found.get(own, 0), former.get(own, 0)
    return Tile(
        label=label,
        value=wording.fair_money(value, own),
        href=link(now, own),
        before=wording.fair_money(its_former, own),
        before_href=link(before, own),
        change=change(value, its_former),
        more=[
            (wording.fair_money(amount, currency), link(now, currency))
            for currency, amount in sorted(found.items())
            if currency != own
        ],
    )


def _repeat_tile(found: Mapping[str, Any], spans: Spans) -> Tile:
    now, before = spans
    shares = []
    for name in ("now", "before"):
        buyers = found[name]["buyers"]
        shares.append(found[name]["repeat"] / buyers if buyers else 0.0)
    share, former = shares
    points = round(100 * (share - former), 1)
    text = _("%(points)s points") % {"points": wording.signed(points)}
    buyers = found["now"]["buyers"]
    return Tile(
        label=_("Repeat rate"),
        value=wording.percent(share),
        href=links.repeat_contacts(now),
        before=wording.percent(former),
        before_href=links.repeat_contacts(before),
        change=Change(_way(points), text, text) if found["before"]["buyers"] else None,
        hint=ngettext(
            "%(repeat)s of %(buyers)s contact who ordered did so more than once.",
            "%(repeat)s of %(buyers)s contacts who ordered did so more than once.",
            buyers,
        )
        % {"repeat": wording.whole(found["now"]["repeat"]), "buyers": wording.whole(buyers)},
    )


def _way(difference: float) -> str:
    if not difference:
        return "same"
    return "up" if difference > 0 else "down"


def change(value: int, former: int) -> Change | None:
    """By how much a figure went up or down; None when there was nothing before."""
    if former <= 0:
        return None
    share = (value - former) / former
    text = wording.percent(abs(share))
    way = _way(value - former)
    spoken = {
        "up": _("%(share)s more than before"),
        "down": _("%(share)s less than before"),
        "same": _("as before"),
    }[way]
    return Change(way, text, spoken % {"share": text})
