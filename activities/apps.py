from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "activities"

    def ready(self) -> None:
        from activities import referrals, signals, types  # noqa: F401  # connects the receivers
        from activities.part import ActivitiesPart
        from activities.rules import VOCABULARIES
        from contacts import parts, rollups, rules

        rollups.keep(types.Ledger())
        parts.register(ActivitiesPart())
        for vocabulary in VOCABULARIES:
            rules.register(vocabulary)
