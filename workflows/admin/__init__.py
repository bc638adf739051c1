"""Workflows in the admin."""

from workflows.messages import admin as messages

__all__ = ["messages"]
