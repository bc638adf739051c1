"""The types of trigger. Every module of this package is loaded and registers its own."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from workflows.triggers.base import TRIGGERS

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["TRIGGERS"]
