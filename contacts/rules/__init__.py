"""One rule language for segments, workflow conditions and whatever else asks about contacts.

A rule is JSON (../shared/spec/api.md 6, docs/rules.md). `parse` reads it; the `Rule` answers by a
database query (`narrow`), in memory (`holds`) and clause by clause (`explain`), always alike.
Fields come from each app's `Vocabulary`, handed to `register`.
"""

from __future__ import annotations

from contacts.rules.catalogue import catalogue
from contacts.rules.fields import (
    ActivityField,
    Clause,
    ContactColumn,
    Field,
    Fixed,
    RowsColumn,
    Vocabulary,
    register,
)
from contacts.rules.parsing import Reading
from contacts.rules.rule import Finding, Rule, parse, subjects
from contacts.rules.subjects import Rows, Subject

__all__ = [
    "ActivityField",
    "Clause",
    "ContactColumn",
    "Field",
    "Finding",
    "Fixed",
    "Reading",
    "Rows",
    "RowsColumn",
    "Rule",
    "Subject",
    "Vocabulary",
    "catalogue",
    "parse",
    "register",
    "subjects",
]
