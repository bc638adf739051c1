from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class ContactsConfig(AppConfig):
    name = "contacts"

    def ready(self) -> None:
        from contacts import parts, rules
        from contacts.duplicates import receivers  # noqa: F401  # connects them
        from contacts.permissions import PermissionsPart
        from contacts.rules import contact, permissions
        from contacts.segments import queue  # noqa: F401  # connects the receiver
        from contacts.segments.rules import Segments

        post_migrate.connect(keep_search, sender=self, dispatch_uid="contacts.search")
        parts.register(PermissionsPart())
        for vocabulary in (*contact.VOCABULARIES, permissions.PERMISSIONS, Segments()):
            rules.register(vocabulary)


def keep_search(using: str, **kwargs: Any) -> None:
    """Search's own table and triggers on SQLite, whatever a migration did to the contacts'."""
    from contacts import search

    search.keep_on_sqlite(connections[using])
