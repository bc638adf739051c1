"""The staff of an organisation, as they name each other in notes: `@Anna Lee`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from django.contrib.auth.models import User
from django.utils.html import format_html, urlize
from django.utils.safestring import SafeString, mark_safe

from organisations.models import Membership, Organisation

MOST = 500
"""As many are offered to choose from."""


def of(organisation: Organisation) -> list[User]:
    """Who works there, by name. One query."""
    members = Membership.objects.for_organisation(organisation).filter(user__is_active=True)
    users = [one.user for one in members.select_related("user").order_by("pk")[:MOST]]
    return sorted(users, key=lambda user: called(user).casefold())


def called(user: User) -> str:
    """What colleagues call somebody: the name, or the account's when there is none."""
    return user.get_full_name() or user.get_username()


def handles(users: Sequence[User]) -> dict[str, list[User]]:
    """By what stands behind an @, in small letters, whom it names: the whole name, the account, and
    the first name or what comes before the @ of the account where that names only one. Two of the
    same name are both named."""
    whole: dict[str, list[User]] = {}
    for user in users:
        for name in {called(user).lower(), user.get_username().lower()}:
            whole.setdefault(name, []).append(user)
    short = [(name, user) for user in users for name in _short(user) if name not in whole]
    seen = Counter(name for name, _user in short)
    return whole | {name: [user] for name, user in short if seen[name] == 1}


def _short(user: User) -> set[str]:
    names = (user.first_name, user.get_username().partition("@")[0])
    return {name.lower() for name in names if name}


def named_in(text: str, users: Sequence[User]) -> list[User]:
    """Whom of `users` the text names, each once, in their order in the text."""
    known = handles(users)
    found = [user for match in _matches(text, known) for user in known[match[1].lower()]]
    return list({user.pk: user for user in found}.values())


def as_html(text: str, named: Sequence[User]) -> SafeString:
    """The text with its links and the names of `named` as such. Line breaks stay line breaks: show
    it with `white-space: pre-wrap`."""
    parts, end = [], 0
    for match in _matches(text, handles(named)):
        parts.append(_linked(text[end : match.start()]))
        parts.append(format_html('<span class="rg-mention">{}</span>', match[0]))
        end = match.end()
    return mark_safe("".join([*parts, _linked(text[end:])]))  # noqa: S308  # each part is escaped


def _linked(text: str) -> str:
    return urlize(text, nofollow=True, autoescape=True)


def _matches(text: str, names: Iterable[str]) -> Iterator[re.Match[str]]:
    """Every @name of these, the longest that fits."""
    if "@" not in text:
        return iter(())
    longest_first = sorted(names, key=len, reverse=True)
    if not longest_first:
        return iter(())
    either = "|".join(map(re.escape, longest_first))
    return re.finditer(rf"(?<!\w)@({either})(?!\w)", text, re.IGNORECASE)
