"""Writing activities, their reservations and their types: every door calls these.

Each function is one transaction. What is wrong with a value is Django's `ValidationError` with a
dict of snake_case paths; what contradicts what is there is `crm.errors.Conflict`.
"""

from __future__ import annotations

from activities.services.corrections import correct, correct_batch, void
from activities.services.recording import record, record_batch
from activities.services.reservations import amend_reservation
from activities.services.types import change_type, define_type, remove_type

__all__ = [
    "amend_reservation",
    "change_type",
    "correct",
    "correct_batch",
    "define_type",
    "record",
    "record_batch",
    "remove_type",
    "void",
]
