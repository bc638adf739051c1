"""What became of each row of a batch: spoken by services and told by doors."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError

from crm.errors import Conflict


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One row: written (`id`, `created`), or refused with `error` (`id` is then None).

    `index` is the row's place in what was given, from 0.
    """

    index: int
    id: int | None = None
    created: bool = False
    error: ValidationError | Conflict | None = None
