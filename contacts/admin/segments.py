"""Segments in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException

from contacts.admin import builder, checking
from contacts.admin.rules import RefusedRule, RuleField
from contacts.rules import words
from contacts.segments import services
from contacts.segments.models import Segment
from contacts.segments.views import ABOUT
from crm.admin.base import OrganisationAdmin
from crm.admin.forms import Refused, ServiceForm, ServiceFormSet
from crm.admin.unfold import action, display
from crm.api import json
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation

TOLD = ("contacts_link", "status_now", "refreshed_at")


class SegmentForm(ServiceForm):
    """The name and the rule."""

    rules = RuleField(
        label=gettext_lazy("Rule"),
        help_text=gettext_lazy("Which contacts are in the segment."),
    )


@admin.register(Segment)
class SegmentAdmin(OrganisationAdmin):
    """Saved rules, whose tag follows what happens to contacts."""

    form = SegmentForm
    list_display = ("name", "contacts_link", "coloured_status", "refreshed_at")
    search_fields = ("name",)
    ordering = ("-created_at", "-id")
    actions_detail = ("check_contact",)

    @display(description=gettext_lazy("contacts"))
    def contacts_link(self, obj: Segment) -> str:
        address = reverse("admin:contacts_contact_changelist")
        return format_html('<a href="{}?segment={}">{}</a>', address, obj.pk, obj.contact_count)

    @display(
        description=gettext_lazy("status"),
        label={"current": "success", "refreshing": "info", "broken": "danger"},
    )
    def coloured_status(self, obj: Segment) -> tuple[str, Any]:
        return obj.status, obj.status_label

    @display(description=gettext_lazy("status"))
    def status_now(self, obj: Segment) -> str:
        return str(obj.status_label)

    @display(description=gettext_lazy("rule"))
    def in_words(self, obj: Segment) -> str:
        try:
            return words.rule(services.read_rules(obj.organisation, obj.rules))
        except ValidationError:
            return json.dumps(obj.rules).decode()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("name", "rules")
        rule = "rules" if self.has_change_permission(request, obj) else "in_words"
        told = ("name", rule, *TOLD)
        return (*told, "error") if obj.error else told

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("in_words", *TOLD, "error") if obj else ()

    def write(
        self,
        request: HttpRequest,
        obj: Segment | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Segment:
        if obj is not None:
            return services.change(segment=obj, values=form.changed_values())
        organisation = organisation_of(request)
        assert organisation is not None
        values = form.cleaned_data
        return services.create(
            organisation=organisation, name=values["name"], rules=values["rules"]
        )

    def refusal(self, error: ValidationError | Conflict) -> Refused:
        return RefusedRule(error)

    def erase(self, request: HttpRequest, obj: Segment) -> None:
        services.delete(segment=obj)

    def consequences(self, obj: Segment) -> list[str]:
        return [_("Its tag is taken off every contact that carries it.")]

    @action(
        description=gettext_lazy("Check a contact"),
        permissions=["view"],
        url_path="check",
        icon="person_search",
    )
    def check_contact(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return checking.check(self, request, self.existing(request, object_id))

    # What the builder asks

    def get_urls(self) -> list[Any]:
        asked = [
            ("rule-fields/", self.rule_fields, "contacts_segment_rule_fields"),
            ("rule-preview/", self.rule_preview, "contacts_segment_rule_preview"),
        ]
        return [
            *(path(at, self.admin_site.admin_view(view), name=name) for at, view, name in asked),
            *super().get_urls(),
        ]

    def rule_fields(self, request: HttpRequest) -> JsonResponse:
        """What rules may speak of."""
        about = request.GET.getlist("about")
        return JsonResponse(builder.vocabulary(self._asking(request), _known(about)))

    def rule_preview(self, request: HttpRequest) -> JsonResponse:
        """What is wrong with a rule, or for whom it holds. Writes nothing."""
        organisation = self._asking(request)
        if not request.user.has_perm("contacts.view_contact"):
            raise PermissionDenied
        try:
            body = json.loads(request.body)
            rules, about = body["rules"], _known(body["about"])
        except (APIException, KeyError, TypeError):
            return JsonResponse({}, status=400)
        return JsonResponse(builder.examine(organisation, rules, about))

    def _asking(self, request: HttpRequest) -> Organisation:
        organisation = organisation_of(request)
        if organisation is None or not self.has_view_permission(request):
            raise PermissionDenied
        return organisation


def _known(about: Any) -> list[str]:
    return [one for one in ABOUT if one in about]
