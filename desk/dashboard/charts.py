"""Stacked bars, drawn on the server: what a template needs to write them as SVG and as a table.

Lengths are in percent of the drawing, so that it can be any size; all text stands outside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

COLOURS = 7
"""As many series have a colour of their own; what there is beside them is drawn as one."""
OTHERS = ""
"""The name of that one."""
_STEPS = 4
_GAP = 0.18
"""The part of a bar's room that is left free."""


@dataclass(frozen=True)
class Segment:
    """A part of a bar; `colour` is a number from 1, 0 that of the others."""

    colour: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One bar. `room_x` and `room` are all the width that is its own."""

    room_x: float
    room: float
    x: float
    width: float
    segments: Sequence[Segment]
    label: str
    total: str
    parts: Sequence[tuple[int, str, str]]
    """Colour, name and amount of what there is, as in the legend."""
    href: str


@dataclass(frozen=True)
class Tick:
    """A line across, or a word below."""

    at: float
    label: str


@dataclass(frozen=True)
class Series:
    """A line of the legend."""

    colour: int
    name: str
    total: str
    href: str
    values: Sequence[str]
    """What each bar has of it."""


@dataclass(frozen=True)
class Chart:
    """All of it."""

    bars: Sequence[Bar]
    series: Sequence[Series]
    lines: Sequence[Tick]
    words: Sequence[Tick]
    zero: float


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How a chart says things."""

    value: Callable[[int], str]
    """A value in full."""
    tick: Callable[[int], str]
    """A value in short."""
    label: Callable[[int], str]
    """What a bar is called, by its number."""
    word: Callable[[int], str]
    """The same in short, below it."""
    others: str
    bar_link: Callable[[int], str]
    series_link: Callable[[str], str]
    """The list behind a series."""


def colours(weights: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """A colour for each of the series that weigh most in any of several charts, so that one is of
    the same colour in all."""
    heaviest: dict[str, float] = {}
    for weight in weights:
        whole = sum(map(abs, weight.values())) or 1
        for name, its in weight.items():
            heaviest[name] = max(heaviest.get(name, 0), abs(its) / whole)
    ranked = sorted(heaviest, key=lambda name: (-heaviest[name], name))
    return {name: rank for rank, name in enumerate(ranked[:COLOURS], 1)}


def stacked(
    values: Mapping[str, Sequence[int]], colour_of: Mapping[str, int], bars: int, say: Writing
) -> Chart:
    """A chart of the series `values`, each with so many bars; negative values hang below zero."""
    said = cache(say.value)  # most values are nothing, or alike
    series = _gathered(values, colour_of, bars)
    columns = [[its[index] for its in series.values()] for index in range(bars)]
    highest = max([sum(one for one in column if one > 0) for column in columns], default=0)
    lowest = min([sum(one for one in column if one < 0) for column in columns], default=0)
    step = _step(highest - lowest)
    top, bottom = math.ceil(highest / step) * step, math.floor(lowest / step) * step
    span = (top - bottom) or step
    top = bottom + span

    def height(value: float) -> float:
        return round(100 * value / span, 3)

    def colour(name: str) -> int:
        return colour_of.get(name, 0)

    room = 100 / bars
    drawn = []
    for index in range(bars):
        up, down, segments, parts = 0.0, 0.0, [], []
        for name, its in series.items():
            value = its[index]
            if not value:
                continue
            parts.append((colour(name), name or say.others, said(value)))
            if value > 0:
                up += value
                segments.append(Segment(colour(name), height(top - up), height(value)))
            else:
                segments.append(Segment(colour(name), height(top - down), height(-value)))
                down += value
        drawn.append(
            Bar(
                room_x=round(index * room, 3),
                room=round(room, 3),
                x=round((index + _GAP / 2) * room, 3),
                width=round(room * (1 - _GAP), 3),
                segments=segments,
                label=say.label(index),
                total=said(sum(columns[index])),
                parts=parts,
                href=say.bar_link(index),
            )
        )
    every = max(1, math.ceil(bars / 6))
    ticks = range(bottom, top + 1, step)
    return Chart(
        bars=drawn,
        series=[
            Series(
                colour(name),
                name or say.others,
                said(sum(its)),
                say.series_link(name) if name else "",
                [said(value) for value in its],
            )
            for name, its in series.items()
        ],
        lines=[Tick(height(top - value), say.tick(value)) for value in ticks],
        words=[
            Tick(round((index + 0.5) * room, 2), say.word(index)) for index in range(0, bars, every)
        ],
        zero=height(top),
    )


def _gathered(
    values: Mapping[str, Sequence[int]], colour_of: Mapping[str, int], bars: int
) -> dict[str, list[int]]:
    """The series in the order of their colours, and last what has none as one."""
    found = {
        name: list(values[name])
        for name in sorted(colour_of, key=colour_of.__getitem__)
        if name in values
    }
    rest = [its for name, its in values.items() if name not in colour_of]
    if rest:
        found[OTHERS] = [sum(its[index] for its in rest) for index in range(bars)]
    return found


def _step(span: int) -> int:
    """A round number of which so many make up the span, about."""
    raw = max(span, 1) / _STEPS
    magnitude = 10 ** math.floor(math.log10(raw)) if raw >= 1 else 1
    for factor in (1, 2, 2.5, 5, 10):
        step = factor * magnitude
        if step >= raw and step == int(step):
            return int(step)
    return 10 * magnitude
