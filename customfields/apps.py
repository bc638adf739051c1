from django.apps import AppConfig


class CustomFieldsConfig(AppConfig):
    name = "customfields"

    def ready(self) -> None:
        from contacts.parts import register
        from customfields.parts import CustomFieldsPart

        register(CustomFieldsPart())
