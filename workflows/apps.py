from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        """Register the jobs, and what hangs on a contact."""
        from contacts import parts
        from workflows import housekeeping  # noqa: F401
        from workflows.messages.part import MessagesPart

        parts.register(MessagesPart())
