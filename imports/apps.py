from django.apps import AppConfig


class ImportsConfig(AppConfig):
    name = "imports"

    def ready(self) -> None:
        from contacts.parts import register
        from imports.part import ImportsPart

        register(ImportsPart())
