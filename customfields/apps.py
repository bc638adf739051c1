from django.apps import AppConfig


class CustomFieldsConfig(AppConfig):
    name = "customfields"

    def ready(self) -> None:
        from contacts import rules
        from contacts.parts import register
        from customfields.parts import CustomFieldsPart
        from customfields.rules import CustomFields

        register(CustomFieldsPart())
        rules.register(CustomFields())
