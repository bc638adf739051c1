"""The desk in the admin."""

from desk.admin import lists
from desk.bulk import admin as bulk

__all__ = ["bulk", "lists"]
