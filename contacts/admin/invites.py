"""Referral invites in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from contacts import services
from contacts.models import Contact, ReferralInvite
from crm.admin.base import OrganisationAdmin, link
from crm.admin.filters import MomentFilter
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import display


class CreatedFilter(MomentFilter):
    title = _("Created")
    parameter_name = "created"
    column = "created_at"


@admin.register(ReferralInvite)
class ReferralInviteAdmin(OrganisationAdmin):
    """Invitations that contacts sent."""

    list_display = (
        "code",
        "inviter",
        "email_address",
        "coloured_status",
        "created_at",
        "completed_at",
    )
    list_filter = (CreatedFilter,)
    prefetch = (Prefetch("contact", Contact.objects.across_organisations()),)
    autocomplete_fields = ("contact", "completed_by")
    ordering = ("-created_at", "-id")
    url_lookups = ("contact", "contact__exact")

    @display(description=_("invited by"))
    def inviter(self, obj: ReferralInvite) -> str:
        return link(obj.contact)

    @display(
        description=_("status"),
        label={
            "Pending": "info",
            "Completed": "success",
            "Expired": "warning",
            "Voided": "danger",
        },
    )
    def coloured_status(self, obj: ReferralInvite) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("contact", "email_address", "code")
        return (
            "contact",
            "code",
            "email_address",
            "status",
            "completed_by",
            "created_at",
            "completed_at",
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("contact", "code", "created_at", "completed_at") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # voided instead: its activity is part of the timeline

    def write(
        self,
        request: HttpRequest,
        obj: ReferralInvite | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> ReferralInvite:
        if obj is None:
            return services.create_invite(**form.cleaned_data)
        return services.update_invite(invite=obj, **form.changed_values())
