"""How alike two texts are: typing errors, and names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contacts.identity import fold

_WORD = re.compile(r"[^\W_]+")
_TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "miss",
        "mx",
        "dr",
        "prof",
        "sir",
        "herr",
        "frau",
        "monsieur",
        "madame",
        "mme",
        "mlle",
    ]
)


def errors_between(one: str, other: str, most: int) -> int:
    """How many typing errors (a letter more, less, other, or two swapped) lead from one text to
    the other; `most` + 1 for more than `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    if one == other:
        return 0
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last = row, before
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted))
            if last and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def tokens(name: str) -> tuple[str, ...]:
    """The words of a name, folded, without titles: `Dr. Zoë O'Neill` → `zoe`, `o`, `neill`."""
    words = tuple(_WORD.findall(fold(name)))
    return tuple(word for word in words if word not in _TITLES) or words


def initials(words: Sequence[str]) -> str:
    """The first letters of the first and the last word, in the order of the alphabet: the same for
    swapped names, and most often for mistyped ones."""
    return "".join(sorted({words[0][0], words[-1][0]})) if words else ""


def alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two names may be one, mistyped: as many words, each with one error at most (two in
    long ones), or an initial for a word. In either order."""
    if len(one) != len(other):
        return _contained(one, other)
    return _word_by_word(one, other) or _word_by_word(sorted(one), sorted(other))


def _word_by_word(one: Sequence[str], other: Sequence[str]) -> bool:
    return all(_same_word(a, b) for a, b in zip(one, other, strict=True))


def _same_word(one: str, other: str) -> bool:
    if len(one) == 1 or len(other) == 1:
        return one[0] == other[0]
    shorter = min(len(one), len(other))
    if shorter < 4:
        return sorted(one) == sorted(other)  # swapped letters
    most = 1 if shorter < 8 else 2
    return errors_between(one, other, most) <= most


def _contained(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one name is the other without its middle names: `jane smith`, `jane ann smith`."""
    short, long = sorted((one, other), key=len)
    return len(short) >= 2 and _same_word(short[0], long[0]) and _same_word(short[-1], long[-1])


def differ(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two names have nothing in common: no word that may be one of the other's."""
    return not any(_same_word(a, b) for a in one for b in other if len(a) > 1 and len(b) > 1)
