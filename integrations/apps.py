from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    name = "integrations"

    def ready(self) -> None:
        """Register the sources, what hangs on a contact, and the worker's share."""
        from contacts import parts
        from integrations import housekeeping, sources  # noqa: F401
        from integrations.outgoing import housekeeping as outgoing  # noqa: F401
        from integrations.outgoing import receivers  # noqa: F401
        from integrations.outgoing.erasing import MessagesPart
        from integrations.part import ExternalIdsPart

        parts.register(ExternalIdsPart())
        parts.register(MessagesPart())
