from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"

    def ready(self) -> None:
        """Register the jobs."""
        from workflows import housekeeping  # noqa: F401
