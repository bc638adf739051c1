"""Finding a value in any JSON by a path: `user.email`, `events[0].mac`.

A path is names with dots between them; `[n]` takes the nth of a list, beginning with 0. A mapping
says for each of our fields where it may stand, in lines such as

    email = user.email | email
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from integrations import reading

FIELDS = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "name",
    "dob",
    "guest",
    "session",
    "venue",
    "device",
    "at",
)
"""What a login may say."""

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PATH = re.compile(r"(?:[^.\[\]\s|=]+|\[\d+\])(?:\.[^.\[\]\s|=]+|\[\d+\])*")


class WrongMapping(ValueError):
    """A mapping that cannot be read. Says the line and what is wrong with it."""


def parse(text: str) -> dict[str, list[str]]:
    """The paths of each field. Empty lines and those that begin with # say nothing. Raises
    WrongMapping."""
    mapping: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        name, equals, paths = (part.strip() for part in line.partition("="))
        candidates = [path.strip() for path in paths.split("|")]
        if not equals or name not in FIELDS:
            raise WrongMapping(
                _("Line %(number)d: begin with one of %(fields)s, then = and a path.")
                % {"number": number, "fields": ", ".join(FIELDS)}
            )
        wrong = next((path for path in candidates if not _PATH.fullmatch(path)), None)
        if wrong is not None:
            raise WrongMapping(
                _("Line %(number)d: %(path)s is no path, such as user.email or events[0].mac.")
                % {"number": number, "path": wrong or "–"}
            )
        mapping.setdefault(name, []).extend(candidates)
    return mapping


def find(body: Any, path: str) -> Any:
    """The value at a path; None where there is none."""
    for name, index in _STEP.findall(path):
        if index:
            found = body if isinstance(body, list) else []
            body = found[int(index)] if int(index) < len(found) else None
        else:
            body = body.get(name) if isinstance(body, Mapping) else None
    return body


def pick(body: Any, mapping: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """For each field the first of its paths that has a text or a number."""
    found = {
        name: reading.first(reading.text(find(body, path)) for path in paths)
        for name, paths in mapping.items()
    }
    return {name: value for name, value in found.items() if value}
