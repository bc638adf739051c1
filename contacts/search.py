"""Finding contacts by what people type: a name, part of an e-mail, a phone in any spelling.

`Contact.search_text` holds all of it, folded (`identity.search_text`). PostgreSQL finds a fragment
in it by a trigram index, SQLite by a trigram table that triggers keep (`SQLITE_STATEMENTS`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connections
from django.db.models import Q

from contacts import identity
from crm.planner import by_index

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from contacts.querysets import ContactQuerySet

MAX_LENGTH = 300
"""Longer than this nobody types; what follows is not looked at."""

SQLITE_STATEMENTS = (
    # Trigrams only, without positions: they narrow down, LIKE on the column decides.
    "CREATE VIRTUAL TABLE IF NOT EXISTS contacts_search USING fts5 ("
    "search_text, content='contacts_contact', content_rowid='id',"
    " tokenize='trigram', detail='none')",
    "CREATE TRIGGER IF NOT EXISTS contacts_search_insert AFTER INSERT ON contacts_contact BEGIN"
    " INSERT INTO contacts_search (rowid, search_text) VALUES (new.id, new.search_text); END",
    "CREATE TRIGGER IF NOT EXISTS contacts_search_delete AFTER DELETE ON contacts_contact BEGIN"
    " INSERT INTO contacts_search (contacts_search, rowid, search_text)"
    " VALUES ('delete', old.id, old.search_text); END",
    "CREATE TRIGGER IF NOT EXISTS contacts_search_update AFTER UPDATE OF search_text"
    " ON contacts_contact WHEN old.search_text IS NOT new.search_text BEGIN"
    " INSERT INTO contacts_search (contacts_search, rowid, search_text)"
    " VALUES ('delete', old.id, old.search_text);"
    " INSERT INTO contacts_search (rowid, search_text) VALUES (new.id, new.search_text); END",
)

# Above so many matches it is quicker to walk the list in its order than to gather them all.
FEW = 2000

Contacts = TypeVar("Contacts", bound="ContactQuerySet")

_PHONE_WORD = re.compile(r"[+0-9().\-/]*[0-9][+0-9().\-/]*")

_TWO_LETTERS = re.compile("[a-z]{2}")
_BEFORE_A_WORD = " -.@_'"

# One thing that must be found: any of these alternatives, each of them all of its fragments.
Term = Sequence[Sequence[str]]


def matching(contacts: Contacts, text: str) -> Contacts:
    """The contacts in which every word of `text` is found, wherever it stands; one of two letters
    where a word begins.

    Case and accents do not matter, nor does the spelling of a phone number: consecutive words of
    digits are also read as one number. Every character stands for itself. The trigrams are asked at
    once whether there are few.
    """
    terms = read(text)
    for term in terms:
        contacts = contacts.filter(holds(term))
    connection = connections[contacts.db]
    if not terms:
        return contacts
    on_sqlite = connection.vendor == "sqlite"
    found = _few(connection, terms) if on_sqlite else _few_by_bitmap(contacts)
    return contacts.scattered() if found is None else contacts.filter(pk__in=found)


def read(text: str) -> list[Term]:
    """`jane 07837 489` → jane, and 07837489 in one way or another."""
    words = identity.fold(text[:MAX_LENGTH].replace("\0", " ").replace("(0)", "")).split()
    terms: list[Term] = []
    number: list[str] = []
    for word in [*words, ""]:
        if _PHONE_WORD.fullmatch(word):
            number.append(word)
            continue
        if number:
            terms.append(_as_number(number))
            number = []
        if word:
            terms.append([[word]])
    return terms


def _as_number(words: list[str]) -> Term:
    """The ways to find these words: as they stand, as digits in a row, and without the 0 or 00
    that stands for a country or before it (a number may be kept as +44 only)."""
    digits = re.sub(r"\D", "", "".join(words))
    alternatives = [list(dict.fromkeys(words)), [digits]]
    without_trunk = digits.lstrip("0")
    if len(without_trunk) >= 3:
        alternatives.append([without_trunk])
    wanted: list[list[str]] = []
    for alternative in reversed(alternatives):  # the widest first
        if not any(_finds_all_of(wider, alternative) for wider in wanted):
            wanted.append(alternative)
    return wanted


def _finds_all_of(wider: Sequence[str], narrower: Sequence[str]) -> bool:
    """Whether whatever holds the fragments of `narrower` holds those of `wider` too."""
    return all(any(part in fragment for fragment in narrower) for part in wider)


def holds(term: Term) -> Q:
    """That a contact has one of the alternatives."""
    return Q(
        *(Q(*(_found(fragment) for fragment in alternative)) for alternative in term),
        _connector=Q.OR,
    )


def _found(fragment: str) -> Q:
    """That this is found; two letters where a word begins, because a pair of letters in the middle
    of one has no trigram."""
    if not _TWO_LETTERS.fullmatch(fragment):
        return Q(search_text__contains=fragment)
    begins = (Q(search_text__contains=f"{mark}{fragment}") for mark in _BEFORE_A_WORD)
    return Q(Q(search_text__startswith=fragment), *begins, _connector=Q.OR)


def _few_by_bitmap(contacts: ContactQuerySet) -> Sequence[int] | None:
    """The ids when they are few; else None."""
    with by_index(connections[contacts.db], bitmaps_only=True):
        ids = list(contacts.order_by().values_list("pk", flat=True)[: FEW + 1])
    return ids if len(ids) <= FEW else None


def _few(connection: BaseDatabaseWrapper, terms: Sequence[Term]) -> Any:
    """A subquery of the rows that can match, when the trigrams leave few; else None."""
    narrowing = [
        " OR ".join(trigrams(alternative) for alternative in term)
        for term in terms
        if all(any(len(fragment) >= 3 for fragment in alternative) for alternative in term)
    ]
    if not narrowing:
        return None
    expression = " AND ".join(f"({part})" for part in narrowing)
    query = "SELECT rowid FROM contacts_search WHERE contacts_search MATCH %s"
    with connection.cursor() as cursor:
        cursor.execute(f"{query} LIMIT {FEW + 1}", [expression])
        ids = [row[0] for row in cursor.fetchall()]
    return ids if len(ids) <= FEW else None


def trigrams(fragments: Sequence[str]) -> str:
    """What the trigram table must hold: every third trigram of each fragment, and the last."""
    wanted = {
        fragment[start : start + 3]
        for fragment in fragments
        for start in [*range(0, len(fragment) - 2, 3), len(fragment) - 3]
        if start >= 0
    }
    quoted = ('"' + trigram.replace('"', '""') + '"' for trigram in sorted(wanted))
    return "(" + " AND ".join(quoted) + ")"


def keep_on_sqlite(connection: BaseDatabaseWrapper) -> None:
    """Make the trigram table and its triggers where they are missing.

    Run after every migrate: SQLite makes a table anew to change it, and its triggers go with the
    old one.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE tbl_name = 'contacts_contact'")
        there = {row[0] for row in cursor.fetchall()}
        wanted = {f"contacts_search_{event}" for event in ("insert", "delete", "update")}
        if not there or wanted <= there:
            return
        for statement in SQLITE_STATEMENTS:
            cursor.execute(statement)
        cursor.execute("INSERT INTO contacts_search (contacts_search) VALUES ('rebuild')")
