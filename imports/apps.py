from django.apps import AppConfig


class ImportsConfig(AppConfig):
    name = "imports"

    def ready(self) -> None:
        from contacts.history import reading
        from contacts.parts import register
        from imports import past
        from imports.part import ImportsPart

        register(ImportsPart())
        for one in (past.Changed(), past.Created(), past.Undone()):
            reading.register(one)
