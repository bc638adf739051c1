"""What a benchmark found: a row of the table, and how rows are measured and shown."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

Work = Callable[[int], float]
"""Does it once, for the turn of this number, and answers how many a second."""


@dataclass(frozen=True)
class Row:
    """A line of the table. `ours` and `floor` are medians, `low` and `high` the least and the
    largest ratio of a turn."""

    work: str
    ours: float
    floor: float | None
    ratio: float | None
    low: float | None
    high: float | None
    unit: str
    goal: float | None = None
    at_most: bool = False
    size: str = ""
    database: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is; None when there is none."""
        found = self.ratio if self.ratio is not None else self.ours
        if self.goal is None:
            return None
        return found <= self.goal if self.at_most else found >= self.goal


@dataclass(frozen=True)
class Sizes:
    """How much is there, how much is done in a turn, and how many turns."""

    people: int
    told: int
    rows: int
    seconds: int
    turns: int
    whole: int
    """Rows of the one file that is imported by a process of its own."""

    @property
    def name(self) -> str:
        return f"{short(self.people)}/{short(self.told)}"


SIZES = {
    "quick": Sizes(people=50_000, told=250_000, rows=10_000, seconds=1, turns=3, whole=30_000),
    "large": Sizes(
        people=1_000_000, told=5_000_000, rows=100_000, seconds=3, turns=3, whole=1_000_000
    ),
}


def race(contenders: Mapping[str, Work], turns: int) -> dict[str, list[float]]:
    """The rates of each contender, turn by turn: by turns, because a busy machine is not equally
    busy all the time, and each turn begins with another, because the first finds caches cold."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(turns):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            rates[name].append(contenders[name](turn))
    return rates


def against(
    work: str,
    ours: Sequence[float],
    floor: Sequence[float],
    *,
    unit: str,
    goal: float | None = None,
    at_most: bool = False,
    note: str = "",
) -> Row:
    """The row of rates that were measured by turns. With `at_most` the ratio is of costs: how many
    times as long ours takes as the floor."""
    ratios = [
        below / mine if at_most else mine / below for mine, below in zip(ours, floor, strict=True)
    ]
    return Row(
        work=work,
        ours=statistics.median(ours),
        floor=statistics.median(floor),
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        unit=unit,
        goal=goal,
        at_most=at_most,
        note=note,
    )


def rate(count: int, work: Callable[[], object]) -> float:
    """How many a second."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def short(number: float) -> str:
    """50k, 1M."""
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"


def to_json(rows: Iterable[Row]) -> str:
    """The rows for machines."""
    found = [{**asdict(row), "reached": row.reached} for row in rows]
    return json.dumps(found, indent=1, ensure_ascii=False)


def from_json(text: str) -> list[Row]:
    """The rows of `to_json`."""
    return [
        Row(**{name: value for name, value in one.items() if name != "reached"})
        for one in json.loads(text)
    ]


HEADERS = ("work", "ours", "floor", "ratio", "goal", "reached", "size", "database")


def cells(row: Row) -> tuple[str, ...]:
    """The row as the table shows it."""
    sign = "≤" if row.at_most else "≥"
    spread = "" if row.low is None else f" ({row.low:.2f}–{row.high:.2f})"
    return (
        row.work,
        f"{row.ours:,.0f} {row.unit}",
        "" if row.floor is None else f"{row.floor:,.0f}",
        "" if row.ratio is None else f"{row.ratio:.2f}{spread}",
        "" if row.goal is None else f"{sign} {row.goal:g}",
        {True: "yes", False: "**no**", None: ""}[row.reached],
        row.size,
        row.database,
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = [HEADERS, tuple("---" for _header in HEADERS), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def notes(rows: Sequence[Row]) -> str:
    """What is to be said of rows, as a list in Markdown."""
    said = dict.fromkeys(f"- {row.work}: {row.note}" for row in rows if row.note)
    return "\n".join(said)
