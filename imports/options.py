"""How a file is to be imported, as the person who runs it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["upsert", "create", "update"]


@dataclass(frozen=True, slots=True)
class NewField:
    """A custom field that is to be made of a column."""

    label: str
    type: str


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
    country: str | None = None
    """In which phone numbers without a country code are read; else the organisation's."""
    add_tags: tuple[str, ...] = ()
    """Put on every contact of the file, beside what it carries."""
    new_fields: Mapping[str, NewField] = field(default_factory=dict)
    """The custom fields to be made of columns, by header."""

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the import."""
        # What is not used is left out: runs of before it could be said are found again.
        more = {
            "country": self.country,
            "add_tags": list(self.add_tags),
            "new_fields": {
                header: {"label": one.label, "type": one.type}
                for header, one in self.new_fields.items()
            },
        }
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
            **{name: value for name, value in more.items() if value},
        }
