"""Custom fields in the admin: their definitions, and their share of a contact's pages."""

from customfields.admin import definitions, panel, uses

__all__ = ["definitions", "panel", "uses"]
