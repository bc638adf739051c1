from django.apps import AppConfig


class RewardsConfig(AppConfig):
    name = "rewards"

    def ready(self) -> None:
        from contacts import parts, rules
        from rewards.part import CreditPart
        from rewards.rules import Credit

        parts.register(CreditPart())
        rules.register(Credit())
