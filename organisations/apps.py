from django.apps import AppConfig
from django.db.models.signals import post_migrate


class OrganisationsConfig(AppConfig):
    name = "organisations"

    def ready(self) -> None:
        from organisations import roles

        post_migrate.connect(roles.sync, dispatch_uid="organisations.roles")
