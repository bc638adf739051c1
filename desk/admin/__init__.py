"""The desk in the admin."""

from desk.admin import dashboard, lists, start
from desk.bulk import admin as bulk

__all__ = ["bulk", "dashboard", "lists", "start"]
