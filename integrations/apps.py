from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        """Register the sources, what hangs on a contact, and the worker's share."""
        from contacts import parts
        from integrations import housekeeping, sources  # noqa: F401
        from integrations.part import ExternalIdsPart

        parts.register(ExternalIdsPart())
