from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "activities"

    def ready(self) -> None:
        from activities import signals, types  # noqa: F401  # connects the receivers
        from contacts import rollups

        rollups.keep(types.Ledger())
