"""What an endpoint was told, attempt by attempt, and telling it again."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from crm.admin.base import OrganisationAdmin, counted, link
from crm.admin.filters import ChoiceFilter, MomentFilter
from crm.admin.unfold import action, display
from crm.errors import Conflict
from crm.outbound import USER_AGENT
from integrations.outgoing import services
from integrations.outgoing.admin.endpoints import replay_notes, tell_replayed
from integrations.outgoing.admin.forms import STYLES
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing.querysets import WebhookDeliveryQuerySet
from integrations.outgoing.trying import TYPE as TEST
from integrations.outgoing.types import EVENT_TYPES
from integrations.sources.base import NotUnderstood, dump, parse
from organisations.middleware import organisation_of

MOST_ATTEMPTS = 100

Status = WebhookDelivery.Status


class OfFilter(ChoiceFilter):
    """The endpoint, always one: the list is read from the index of its deliveries."""

    title = gettext_lazy("Webhook")
    parameter_name = "of"

    @cached_property
    def endpoints(self) -> list[WebhookEndpoint]:
        organisation = organisation_of(self.request)
        if organisation is None:
            return []
        return list(WebhookEndpoint.objects.for_organisation(organisation))

    @property
    def endpoint(self) -> WebhookEndpoint | None:
        """The one that is asked for, else the newest."""
        asked = [one for one in self.endpoints if str(one.pk) == self.answer()]
        return next(iter([*asked, *self.endpoints]), None)

    def options(self) -> list[tuple[str, Any]]:
        return [(str(one.pk), str(one)) for one in self.endpoints]

    def fields(self) -> dict[str, forms.Field]:
        widget = UnfoldAdminSelectWidget()
        return {"": forms.ChoiceField(label=self.title, choices=self.options(), widget=widget)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        request.endpoint = self.endpoint  # type: ignore[attr-defined]  # for the head of the page
        return queryset.none() if self.endpoint is None else queryset.filter(endpoint=self.endpoint)


class StatusFilter(ChoiceFilter):
    title = gettext_lazy("Status")
    parameter_name = "how"

    def options(self) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        rows = rows.filter(status=self.answer())
        # Said twice: those that wait are indexed by when they are due.
        return rows.filter(due_at__isnull=False) if self.answer() == Status.PENDING else rows


class TypeFilter(ChoiceFilter):
    title = gettext_lazy("Message")
    parameter_name = "about"

    def options(self) -> list[tuple[str, Any]]:
        return [(type, type) for type in (*EVENT_TYPES, TEST)]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(message__type=self.answer())


class CreatedFilter(MomentFilter):
    title = gettext_lazy("Happened")
    parameter_name = "happened"
    column = "created_at"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(OrganisationAdmin):
    """What an endpoint was told, newest first. It is only read, and sent again."""

    list_display = ("created_at", "type", "coloured_status", "attempts", "in_short", "due_at")
    list_filter = (OfFilter, StatusFilter, TypeFilter, CreatedFilter)
    list_before_template = "admin/webhooks/told.html"
    change_form_outer_after_template = "admin/webhooks/attempts.html"
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at",)
    actions = ("replay_chosen",)
    actions_detail = ("replay",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "endpoint_name",
                    "type",
                    "status",
                    "error",
                    "created_at",
                    "completed_at",
                    "due_at",
                )
            },
        ),
        (gettext_lazy("What is sent"), {"fields": ("shown_headers", "shown_body")}),
    )

    class Media:
        css: ClassVar = STYLES

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        endpoints = WebhookEndpoint.objects.across_organisations()
        rows = super().get_queryset(request).select_related("message")
        return rows.prefetch_related(Prefetch("endpoint", endpoints))

    def for_list(self, rows: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
        return super().for_list(rows.prefetch_related(None).defer("message__body"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context is not None:
            context["endpoint"] = getattr(request, "endpoint", None)
            context["may_replay"] = self.has_replay_permission(request)
        return response

    @display(description=gettext_lazy("attempts"))
    def attempts(self, obj: WebhookDelivery) -> int:
        return obj.tries

    @display(description=gettext_lazy("message"))
    def type(self, obj: WebhookDelivery) -> str:
        return obj.message.type

    @display(description=gettext_lazy("webhook"))
    def endpoint_name(self, obj: WebhookDelivery) -> str:
        return link(obj.endpoint)

    @display(
        description=gettext_lazy("status"),
        label={Status.PENDING: "info", Status.DELIVERED: "success", Status.FAILED: "danger"},
    )
    def coloured_status(self, obj: WebhookDelivery) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("error"))
    def in_short(self, obj: WebhookDelivery) -> str:
        return obj.error or "—"

    @display(description=gettext_lazy("headers"))
    def shown_headers(self, obj: WebhookDelivery) -> SafeString:
        headers = (
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
            ("webhook-id", obj.message.key),
            ("webhook-timestamp", _("when it is sent, in seconds since 1970")),
            ("webhook-signature", _("v1,… made with the secret")),
        )
        lines = format_html_join("", "<li>{}: <strong>{}</strong></li>", headers)
        return format_html('<ul class="rg-lines">{}</ul>', lines)

    @display(description=gettext_lazy("body"))
    def shown_body(self, obj: WebhookDelivery) -> SafeString | str:
        if not obj.message.body:
            return _("Erased, with the contact's data.")
        return format_html('<pre class="rg-code" tabindex="0">{}</pre>', _pretty(obj.message.body))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        delivery: WebhookDelivery = self.existing(request, object_id)
        attempts = list(delivery.attempts.order_by("-pk")[:MOST_ATTEMPTS])
        return super().change_view(
            request, object_id, form_url, {"attempts": attempts, **(extra_context or {})}
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # they go by themselves, after WEBHOOKS_KEEP_DAYS

    # Sending again

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By a method, as in `organisations.admin`.
        return request.user.has_perm("integrations.change_webhookendpoint")

    @action(description=gettext_lazy("Send again"), permissions=["replay"], icon="replay")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery: WebhookDelivery = self.existing(request, object_id)
        rows = WebhookDelivery.objects.for_organisation(delivery.organisation_id)
        return self._replay(
            request,
            delivery.endpoint,
            rows.filter(pk=delivery.pk),
            1,
            self.url("change", delivery.pk),
        )

    @admin.action(description=gettext_lazy("Send again"), permissions=["replay"])
    def replay_chosen(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]
    ) -> HttpResponse | None:
        count = self.chosen(request, queryset)
        if count is None:
            return None
        endpoint: WebhookEndpoint | None = getattr(request, "endpoint", None)
        if endpoint is None:
            raise Http404
        return self._replay(request, endpoint, queryset, count, request.get_full_path())

    def _replay(
        self,
        request: HttpRequest,
        endpoint: WebhookEndpoint,
        rows: QuerySet[WebhookDelivery],
        count: int,
        back: str,
    ) -> HttpResponse:
        if not self.confirmed(request):
            deliveries = counted(count, WebhookDelivery)
            return self.ask(
                request,
                title=_("Send %(deliveries)s again?") % {"deliveries": deliveries},
                notes=replay_notes(),
                confirm=_("Send again"),
                back=back,
            )
        try:
            done = services.replay(
                endpoint=endpoint, deliveries=cast(WebhookDeliveryQuerySet, rows)
            )
        except Conflict as refused:
            messages.error(request, refused.detail)
        else:
            tell_replayed(request, done)
        return HttpResponseRedirect(back)


def _pretty(body: str) -> str:
    try:
        return dump(parse(body), indent=2)
    except NotUnderstood:
        return body
