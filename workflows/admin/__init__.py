"""Workflows in the admin: their canvas, and what they sent."""

from workflows.admin import runs, uses, workflows
from workflows.messages import admin as messages

__all__ = ["messages", "runs", "uses", "workflows"]
