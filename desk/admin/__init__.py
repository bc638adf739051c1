"""The desk in the admin: the dashboard, notes, tasks and My work, saved views, bulk changes."""

from desk.admin import contact, dashboard, lists, notes, start, tasks, work
from desk.bulk import admin as bulk

__all__ = ["bulk", "contact", "dashboard", "lists", "notes", "start", "tasks", "work"]
