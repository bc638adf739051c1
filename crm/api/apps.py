from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "crm.api"
    label = "api"

    def ready(self) -> None:
        from crm.api import routers  # noqa: F401  registers the converter <id:…>
