from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        """Register the jobs, and what hangs on a contact."""
        from contacts import duplicates, parts
        from workflows import housekeeping, receivers, worker  # noqa: F401
        from workflows.messages.part import MessagesPart
        from workflows.part import RunsPart

        parts.register(MessagesPart())
        parts.register(RunsPart())
        worker.also(duplicates.work)
