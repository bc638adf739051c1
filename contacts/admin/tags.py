"""Tags in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from contacts import services
from contacts.models import Tag
from crm.admin.base import OrganisationAdmin
from crm.admin.forms import ServiceForm, ServiceFormSet
from organisations.middleware import organisation_of


@admin.register(Tag)
class TagAdmin(OrganisationAdmin):
    """Words put on contacts."""

    fields = ("name",)
    list_display = ("name", "kind", "created_at")
    search_fields = ("name",)
    ordering = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Renaming one would rename it under those who search and write by its name.
        return obj is None and super().has_change_permission(request)

    def write(
        self,
        request: HttpRequest,
        obj: Tag | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Tag:
        organisation = organisation_of(request)
        assert organisation is not None
        tag, created = services.create_tag(
            organisation=organisation, name=form.cleaned_data["name"]
        )
        if not created:
            raise ValidationError({"name": _("There is a tag of this name already.")})
        return tag

    def erase(self, request: HttpRequest, obj: Tag) -> None:
        services.delete_tag(tag=obj)

    def consequences(self, obj: Tag) -> list[str]:
        return [_("It is taken off every contact that carries it.")]
