"""Finding values in any JSON, and saying which of them means what.

A path is names with dots between them; `[n]` takes the nth of a list, beginning with 0, and
`["any name"]` a name with spaces, dots or brackets in it. A mapping says for each meaning where it
may stand, or with quotation marks what it always is, in lines such as

    email = user.email | email
    type = event.kind | "Purchase"
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from integrations.wifi.meanings import FIELDS, is_name

Steps = tuple[str | int, ...]
"""A path, taken apart: names, and numbers in lists."""

LARGEST = 20_000
"""Characters of a mapping."""

_NAME = r'[^.\[\]\s|="]+'
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_AFTER = rf"\[\d{{1,9}}\]|\[{_QUOTED}\]"
_PATH = rf"(?:{_NAME}|{_AFTER})(?:\.{_NAME}|{_AFTER})*"
_BARE = re.compile(_NAME)
_STEP = re.compile(rf"\.?({_NAME})|\[(\d{{1,9}})\]|\[({_QUOTED})\]")
_CANDIDATE = re.compile(rf"\s*({_QUOTED}|{_PATH})\s*(?=\||$)")


class WrongMapping(ValueError):
    """A mapping that cannot be read. Says the line and what is wrong with it."""


def parse(text: str) -> dict[str, list[str]]:
    """The candidates of each meaning: paths, and texts in quotation marks. Empty lines and those
    that begin with # say nothing. Raises WrongMapping."""
    if len(text) > LARGEST:
        raise WrongMapping(_("A mapping has at most %(most)d characters.") % {"most": LARGEST})
    mapping: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not _says_nothing(line):
            name, candidates = _read_line(number, line)
            mapping.setdefault(name, []).extend(candidates)
    return mapping


def _says_nothing(line: str) -> bool:
    return not line.strip() or line.strip().startswith("#")


def _read_line(number: int, line: str) -> tuple[str, list[str]]:
    name, equals, told = line.partition("=")
    name = name.strip()
    if not equals or not is_name(name):
        raise WrongMapping(
            _(
                "Line %(number)d: begin with one of %(fields)s, consent.email, consent.sms, "
                "custom.NAME or data.NAME, then = and a path."
            )
            % {"number": number, "fields": ", ".join(FIELDS)}
        )
    candidates, position = [], 0
    while True:
        match = _CANDIDATE.match(told, position)
        if match is None or not _is_spelt_right(match[1]):
            wrong = told[position:].partition("|")[0].strip()
            raise WrongMapping(
                _("Line %(number)d: %(path)s is no path, such as user.email or events[0].mac.")
                % {"number": number, "path": wrong[:80] or "–"}
            )
        candidates.append(match[1])
        position = match.end() + 1
        if match.end() >= len(told):
            return name, candidates


def _is_spelt_right(candidate: str) -> bool:
    """Whether what stands in quotation marks is a text of JSON: `"\\q"` is none."""
    try:
        find(None, candidate)
    except ValueError:
        return False
    return True


def assign(text: str, name: str, candidate: str) -> str:
    """The mapping with `candidate` as the first for `name`; the others stay behind it. Raises
    WrongMapping when either cannot be read."""
    wanted = parse(f"{name} = {candidate}")[name]
    others = [one for one in parse(text).get(name, []) if one not in wanted]
    return _rewritten(text, name, [*wanted, *others])


def drop(text: str, name: str, candidate: str) -> str:
    """The mapping without this candidate for `name`. Raises WrongMapping."""
    return _rewritten(text, name, [one for one in parse(text).get(name, []) if one != candidate])


def _rewritten(text: str, name: str, candidates: list[str]) -> str:
    """All other lines as they are, comments too; those of `name` as one, where the first was."""
    line = f"{name} = {' | '.join(candidates)}" if candidates else None
    lines: list[str] = []
    for number, there in enumerate(text.splitlines(), start=1):
        if _says_nothing(there) or _read_line(number, there)[0] != name:
            lines.append(there)
        elif line is not None:
            lines.append(line)
            line = None
    return "\n".join([*lines, *([line] if line is not None else [])])


def constant(text: str) -> str:
    """A text as a candidate: what a meaning always is."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)


@lru_cache(maxsize=4096)
def steps(path: str) -> Steps:
    """A path, taken apart."""
    return tuple(
        int(index) if index else json.loads(quoted) if quoted else name
        for name, index, quoted in _STEP.findall(path)
    )


def spell(taken: Steps) -> str:
    """The path of these steps, which `steps` reads back."""
    spelt = ""
    for step in taken:
        if isinstance(step, int):
            spelt += f"[{step}]"
        elif _BARE.fullmatch(step):
            spelt += f".{step}" if spelt else step
        else:
            spelt += f"[{json.dumps(step)}]"
    return spelt


def find(body: Any, candidate: str) -> Any:
    """The value at a path, or a constant's text; None where there is none."""
    if candidate.startswith('"'):
        return json.loads(candidate)
    for step in steps(candidate):
        if isinstance(step, int):
            body = body[step] if isinstance(body, list) and step < len(body) else None
        else:
            body = body.get(step) if isinstance(body, Mapping) else None
    return body


def leaves(body: Any, taken: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every value that is no object or list, with its steps; in the order of the JSON."""
    if isinstance(body, Mapping):
        for name, value in body.items():
            yield from leaves(value, (*taken, name))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from leaves(value, (*taken, index))
    else:
        yield taken, body
