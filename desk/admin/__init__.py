"""The desk in the admin."""

from desk.admin import lists

__all__ = ["lists"]
