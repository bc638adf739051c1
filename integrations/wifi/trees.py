"""A JSON value as lines to look at and to choose from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations.sources.base import dump
from integrations.wifi import paths
from integrations.wifi.meanings import Meaning, Meanings

MOST_LINES = 500
MOST_OF_A_LIST = 10
DEEPEST = 20
LONGEST = 120


@dataclass(frozen=True)
class Line:
    """A line of the tree. `path` is empty for what cannot be chosen: objects, and lists of them.

    `left_out` counts what of a list, or of all lines, is not shown.
    """

    depth: int
    name: str
    shown: str = ""
    kind: str = "object"
    path: str = ""
    means: tuple[Meaning, ...] = ()
    likely: str = ""
    left_out: int = field(default=0)


def lines_of(body: Any, meant: Mapping[str, str], meanings: Meanings) -> list[Line]:
    """The tree of a body, in its order, at most so many lines. `meant` are the paths by meaning
    that a value was found by."""
    by_path: dict[str, list[Meaning]] = {}
    for name, path in meant.items():
        by_path.setdefault(path, []).append(meanings[name])
    lines: list[Line] = []
    if not _has_inner(body):
        return lines
    for line in _below(body, (), by_path, meanings):
        if len(lines) == MOST_LINES:
            lines.append(Line(0, "", left_out=1))
            break
        lines.append(line)
    return lines


def _below(
    value: Any, taken: paths.Steps, means: Mapping[str, list[Meaning]], meanings: Meanings
) -> Iterator[Line]:
    inner = list(value.items()) if isinstance(value, Mapping) else list(enumerate(value))
    few = inner[:MOST_OF_A_LIST] if isinstance(value, list) else inner
    for step, one in few:
        here = (*taken, step)
        yield _line(one, here, means, meanings)
        if _has_inner(one) and len(here) < DEEPEST:
            yield from _below(one, here, means, meanings)
    if len(few) < len(inner):
        yield Line(len(taken), "", left_out=len(inner) - len(few))


def _line(
    value: Any, taken: paths.Steps, means: Mapping[str, list[Meaning]], meanings: Meanings
) -> Line:
    depth, name = len(taken) - 1, _named(taken[-1])
    if _has_inner(value) and not _is_plain(value):
        return Line(depth, name, kind="list" if isinstance(value, list) else "object")
    path = paths.spell(taken)
    likely = meanings.guess(_name_of(taken), value)
    return Line(
        depth,
        name,
        shown=shown(value),
        kind=_kind(value),
        path=path,
        means=tuple(means.get(path, ())),
        likely=likely.name if likely is not None else "",
    )


def _name_of(taken: paths.Steps) -> str:
    """What the other system calls a value: an `id` is its owner's."""
    names = [step for step in taken if isinstance(step, str)]
    last = names[-1] if names else ""
    return "".join(names[-2:]) if last.lower() in ("id", "name", "uuid") else last


def _named(step: str | int) -> str:
    return step if isinstance(step, str) else f"[{step}]"


def _has_inner(value: Any) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _is_plain(value: Any) -> bool:
    """Whether a list has nothing but single values: it can be chosen as a whole."""
    return isinstance(value, list) and not any(isinstance(one, Mapping | list) for one in value)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


def shown(value: Any) -> str:
    """A value as JSON, at most so long."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else dump(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
