"""All sources. Importing this package registers them: each is a package in `integrations`,
and every package there is one, but for `NO_SOURCES`."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from integrations.sources.base import SOURCES, Source

__all__ = ["SOURCES", "Source"]

NO_SOURCES = frozenset({"admin", "management", "migrations", "outgoing", "sources"})

for _found in iter_modules([str(Path(__file__).parent.parent)]):
    if _found.ispkg and _found.name not in NO_SOURCES:
        import_module(f"integrations.{_found.name}")
