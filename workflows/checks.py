"""Reading single values of a workflow's JSON: each says what it expected when it is not there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from contacts.rules import durations
from contacts.rules.durations import Duration
from organisations.models import Organisation

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def error(message: str, code: str = "invalid", **params: Any) -> ValidationError:
    """A ValidationError of one sentence."""
    return ValidationError(message, code=code, params=params or None)


def required() -> ValidationError:
    return error(_("This is required."), "required")


class Errors(dict[str, Any]):
    """What is wrong, by path."""

    def under(self, prefix: str, found: ValidationError) -> None:
        """Add what is wrong below `prefix`, below `""` as it is. The path `""` of the part is
        `prefix` itself."""
        if not hasattr(found, "error_dict"):
            self[prefix] = found
            return
        for path, errors in found.error_dict.items():
            parts = (prefix, "" if path == "__all__" else path)
            self[".".join(filter(None, parts))] = ValidationError(errors)

    @contextmanager
    def at(self, prefix: str) -> Iterator[None]:
        """Note a ValidationError that is raised within below `prefix`, and go on."""
        try:
            yield
        except ValidationError as found:
            self.under(prefix, found)

    def raise_if_any(self) -> None:
        """Raise what was noted."""
        if self:
            raise ValidationError(dict(self))


def text(given: Any, *, longest: int = 255) -> str:
    """A text that says something."""
    if given is None or given == "":
        raise required()
    if not isinstance(given, str) or not given.strip():
        raise error(_("Give a text."))
    if len(given) > longest:
        raise error(_("Give at most %(limit)d characters."), "max_length", limit=longest)
    return given.strip()


def choice(given: Any, choices: Collection[str]) -> str:
    """One of `choices`."""
    if given is None:
        raise required()
    if not isinstance(given, str) or given not in choices:
        raise error(
            _("Use one of %(choices)s."), "invalid_choice", choices=", ".join(sorted(choices))
        )
    return given


def duration(given: Any) -> Duration:
    """An ISO 8601 duration that is longer than nothing."""
    if given is None:
        raise required()
    found = durations.parse(given)
    if not (found.months or found.days or found.seconds):
        raise error(_("Give a duration that is longer than nothing."), "too_short")
    return found


def offset(given: Any) -> tuple[int, Duration]:
    """`P3D` or `-P3D`: the sign and the duration. Nothing given is no offset."""
    if given in (None, ""):
        return 1, Duration()
    sign = -1 if isinstance(given, str) and given.startswith("-") else 1
    bare = given.removeprefix("-").removeprefix("+") if isinstance(given, str) else given
    return sign, durations.parse(bare)


def clock(given: Any) -> time:
    """A time of day, `09:30`."""
    found = _CLOCK.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise error(_("Give a time of day such as 09:30."), "invalid_time")
    return time(int(found[1]), int(found[2]))


def activity_types(
    given: Any, organisation: Organisation, *, needed: bool = False
) -> tuple[str, ...]:
    """A list of types of activity that there are."""
    from activities import types

    if given is None or given == []:
        if needed:
            raise required()
        return ()
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise error(_("Give a list of types of activity."), "not_a_list")
    if len(given) > 100:
        raise error(_("Give at most 100 types."), "too_many")
    unknown = types.unknown(organisation, set(given))
    if unknown:
        raise types.unknown_type(organisation, sorted(unknown)[0])
    return tuple(given)


def conditions(given: Any, organisation: Organisation, about: Collection[str]) -> None:
    """A rule. Raises ValidationError with a dict of paths."""
    from contacts import rules

    rules.parse(given, organisation=organisation, about=about)


def unknown_keys(data: Mapping[str, Any], known: Collection[str], errors: Errors) -> None:
    """Note the keys that are not among `known`."""
    for key in data:
        if key not in known:
            errors[str(key)[:60]] = error(_("There is no such key."), "unknown_field")
