"""The desk in the admin: dashboard, notes, tasks and My work, saved views, bulk changes, search."""

from desk.admin import contact, dashboard, lists, notes, search, start, tasks, work
from desk.bulk import admin as bulk

__all__ = ["bulk", "contact", "dashboard", "lists", "notes", "search", "start", "tasks", "work"]
