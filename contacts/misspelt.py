"""Finding contacts by words with typing errors in them.

A word with one error in it is right before the error or behind it. What is looked for, in the same
trigram indexes as `contacts.search` asks, are its beginning, its end, or both around its middle,
and the word with two neighbours exchanged. What that finds is then compared letter by letter.

PostgreSQL's own `word_similarity` was tried: it is as quick, but `smyth` and `smith` have too
little in common for it, and SQLite has nothing like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from django.db import connections
from django.db.models import Q

from contacts import identity, search
from crm.planner import by_index

if TYPE_CHECKING:
    from contacts.models import Contact
    from contacts.querysets import ContactQuerySet

CANDIDATES = 300
"""So many are compared."""
NEWEST = 3000
"""As many of the newest that the trigram table of SQLite finds are looked at."""
MOST_WORDS = 4
_SHORTEST, _LONG = 4, 8
"""A shorter word must be right; a long one may have two errors."""


class _Way(NamedTuple):
    """All of `fragments` are found, and `start` is how the text begins."""

    fragments: Sequence[str]
    start: str = ""

    def condition(self) -> Q:
        wanted = Q(search_text__startswith=self.start) if self.start else Q()
        for fragment in self.fragments:
            wanted &= Q(search_text__contains=fragment)
        return wanted

    def trigrams(self) -> str:
        """For SQLite's trigram table, which knows no beginnings; empty where there are none."""
        long = [one for one in (*self.fragments, self.start) if len(one) >= 3]
        return search.trigrams(long) if long else ""


def near(contacts: ContactQuerySet, text: str, limit: int) -> list[Contact]:
    """The contacts whose words are those of `text` but for an error or two in each, the nearest
    first. One query, on SQLite two; none for what is too short or a number."""
    words = identity.fold(text[: search.MAX_LENGTH].replace("\0", " ")).split()
    if not 0 < len(words) <= MOST_WORDS or not any(_may_be_wrong(word) for word in words):
        return []
    connection = connections[contacts.db]
    ways = [list(_ways(word)) for word in words]
    if connection.vendor == "sqlite":
        ways = [[way for way in its if way.trigrams()] for its in ways]
    for its in ways:
        either = Q()
        for way in its:
            either |= way.condition()
        contacts = contacts.filter(either)
    if connection.vendor == "sqlite":
        both = " AND ".join(
            "(" + " OR ".join(way.trigrams() for way in its) + ")" for its in ways if its
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rowid FROM contacts_search WHERE contacts_search MATCH %s"
                " ORDER BY rowid DESC LIMIT %s",
                [both, NEWEST],
            )
            contacts = contacts.filter(pk__in=[row[0] for row in cursor.fetchall()])
    with by_index(connection, bitmaps_only=True):
        candidates = list(contacts.order_by()[:CANDIDATES])
    found = [
        (far, -contact.pk, contact)
        for contact in candidates
        if (far := _distance(words, contact)) is not None
    ]
    found.sort(key=lambda one: one[:2])
    return [contact for _far, _newest, contact in found[:limit]]


def _may_be_wrong(word: str) -> bool:
    return len(word) >= _SHORTEST and word.replace("-", "").replace("'", "").isalpha()


def _errors(word: str) -> int:
    if not _may_be_wrong(word):
        return 0
    return 2 if len(word) >= _LONG else 1


def _ways(word: str) -> Iterator[_Way]:
    """What to look for, for a word that may have an error in it. Fragments have three letters or
    more: less has no trigram; spaces mark where a word begins or ends."""
    yield _Way([word])
    if not _may_be_wrong(word):
        return
    for at in range(len(word) - 1):
        if word[at] != word[at + 1]:
            yield _Way([word[:at] + word[at + 1] + word[at] + word[at + 2 :]])
    part = (len(word) - 1) // 2
    begin, end = word[: len(word) - part], word[part:]
    if len(begin) > 3:
        yield _Way([begin])
        yield _Way([end])
    else:
        yield _Way([f" {begin}"])
        yield _Way([], start=begin)
        yield _Way([f"{end} "])
    first, last = word[:part], word[-part:]
    if part >= 3:
        yield _Way([first, last])
    elif part == 2:
        yield _Way([f" {first}", f"{last} "])
        yield _Way([f"{last} "], start=first)
    else:
        yield _Way([f"{word[2:]} "])
        yield _Way([f" {word[:2]}", f"{word[-1]} "])
        yield _Way([f"{word[-1]} "], start=word[:2])


def _distance(words: Sequence[str], contact: Contact) -> tuple[int, int] | None:
    """How many errors the words have together, and when they are taken for whole words; None when
    one of them is no word of the contact's, nor the beginning of one."""
    theirs = set(identity.fold(contact.name or "").split())
    theirs.update(re.split(r"[@._+\-]", (contact.email_address or "").lower()))
    far = whole = 0
    for word in words:
        allowed = _errors(word)
        nearest = min(errors(word, its, allowed) for its in theirs)
        if nearest[0] > allowed:
            return None
        far, whole = far + nearest[0], whole + nearest[1]
    return far, whole


def errors(word: str, other: str, most: int) -> tuple[int, int]:
    """In how many places `word` differs from the beginning of `other`, and from all of it: letters
    too many, missing, wrong, or two exchanged. More than `most` is about that.

    People are still typing: what `other` goes on with is no error.
    """
    if other.startswith(word):
        return 0, len(other) - len(word)
    too_many = (most + 1, most + 1)
    if word[0] != other[:1]:
        most = min(most, 1)  # two errors, one of them in the first letter, make anything of a word
    if not most or len(word) - len(other) > most:
        return too_many
    left = max(len(other) - len(word) - most, 0)
    other = other[: len(word) + most]
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        ahead, before_that = row, before
        row = [i]
        for j, its in enumerate(other, 1):
            cost = min(ahead[j] + 1, row[j - 1] + 1, ahead[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == its:
                cost = min(cost, before_that[j - 2] + 1)
            row.append(cost)
        before = ahead
        if min(row) > most:
            return too_many
    return min(row), row[-1] + left
