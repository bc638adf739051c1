"""How a file is to be imported, as the person who runs it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["upsert", "create", "update"]


@dataclass(frozen=True, slots=True)
class Options:
    """What changes the meaning of the rows. The same file with the same options is the same
    import, which goes on where it stopped."""

    mode: Mode = "upsert"
    mapping: Mapping[str, str] = field(default_factory=dict)
    create_fields: bool = False
    clear_empty: bool = False
    date_format: str | None = None
    timezone: str | None = None
    type: str | None = None
    source: str | None = None
    spend_in: Literal["minor", "major"] = "minor"
    backfill: bool = False
    """The rows are history, which starts no workflow and no webhook."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """How the file itself was said to be read: format, encoding, delimiter, sheet."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the import."""
        return {
            "mode": self.mode,
            "mapping": dict(self.mapping),
            "create_fields": self.create_fields,
            "clear_empty": self.clear_empty,
            "date_format": self.date_format,
            "timezone": self.timezone,
            "type": self.type,
            "source": self.source,
            "spend_in": self.spend_in,
            "backfill": self.backfill,
            "reading": dict(self.reading),
        }
