"""Endpoints: what they are told of, how they do, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.admin.base import OrganisationAdmin
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import action, display
from crm.errors import Conflict
from integrations.outgoing import services
from integrations.outgoing.admin.forms import STYLES, EndpointForm, RangeForm
from integrations.outgoing.attempts import PATIENCE
from integrations.outgoing.models import WebhookDelivery, WebhookEndpoint
from integrations.outgoing.trying import try_out
from integrations.secrets import opened
from organisations.middleware import organisation_of
from organisations.models import Organisation

MANY = 1000
"""As many deliveries as are counted."""
SHOWN_TYPES = 2

Status = WebhookEndpoint.Status
FAILING = "failing"
"""Active, but the latest attempts failed."""


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(OrganisationAdmin):
    """Addresses that are told what happens. Owners add and change them."""

    form = EndpointForm
    list_display = ("shown_name", "told_of", "health", "in_short", "last_delivery", "created_at")
    ordering = ("-created_at", "-id")
    list_before_template = "admin/webhooks/none_yet.html"
    change_form_outer_before_template = "admin/webhooks/endpoint.html"
    actions_detail = ("new_secret",)
    fieldsets = (
        (None, {"fields": ("description", "url")}),
        (gettext_lazy("What it is told"), {"fields": ("event_types", "filters")}),
    )

    class Media:
        css: ClassVar = STYLES
        js: ClassVar = ["regulars/webhooks.js"]

    # The list

    def for_list(self, rows: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
        newest = WebhookDelivery.objects.across_organisations().filter(endpoint=OuterRef("pk"))
        return super().for_list(
            rows.annotate(told_at=Subquery(newest.order_by("-created_at").values("created_at")[:1]))
        )

    @display(description=gettext_lazy("webhook"), header=True)
    def shown_name(self, obj: WebhookEndpoint) -> list[str]:
        return [str(obj), obj.url if obj.description else ""]

    @display(description=gettext_lazy("told of"))
    def told_of(self, obj: WebhookEndpoint) -> str:
        types = obj.event_types
        if not types:
            return _("everything")
        text = ", ".join(types[:SHOWN_TYPES])
        more = len(types) - SHOWN_TYPES
        return (
            text if more <= 0 else _("%(types)s and %(more)d more") % {"types": text, "more": more}
        )

    @display(
        description=gettext_lazy("status"),
        label={
            Status.ACTIVE: "success",
            Status.PAUSED: "warning",
            Status.DISABLED: "danger",
            FAILING: "danger",
        },
    )
    def health(self, obj: WebhookEndpoint) -> tuple[str, str]:
        if obj.status == Status.ACTIVE and obj.failing_since is not None:
            return FAILING, _("Failing")
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("why"))
    def in_short(self, obj: WebhookEndpoint) -> str:
        return why(obj) or "—"

    @display(description=gettext_lazy("last told"))
    def last_delivery(self, obj: Any) -> Any:
        return obj.told_at

    # The form

    def write(
        self,
        request: HttpRequest,
        obj: WebhookEndpoint | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> WebhookEndpoint:
        if obj is not None:
            return services.change(endpoint=obj, values=form.changed_values())
        organisation = cast(Organisation, organisation_of(request))
        return services.create(organisation=organisation, **form.cleaned_data)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        title = _("The secret of %(name)s") % {"name": obj}
        return self._show_secret(request, self.existing(request, str(obj.pk)), title)

    def erase(self, request: HttpRequest, obj: WebhookEndpoint) -> None:
        services.delete(endpoint=obj)

    def consequences(self, obj: WebhookEndpoint) -> list[str]:
        return [
            _("It is told nothing any more, and what it was told is forgotten."),
            _("Pausing it instead keeps what happens meanwhile for it."),
        ]

    # How it does

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        endpoint: WebhookEndpoint = self.existing(request, object_id)
        context = {
            "endpoint": endpoint,
            "may_change": self.has_change_permission(request, endpoint),
            "health": figures(endpoint),
            "patience": PATIENCE.days,
            "deliveries": deliveries_of(endpoint),
        }
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    # What is done with it

    def get_urls(self) -> list[Any]:
        def button(name: str, view: Callable[[HttpRequest, WebhookEndpoint], HttpResponse]) -> Any:
            def pressed(request: HttpRequest, pk: int) -> HttpResponse:
                endpoint = self.existing(request, str(pk))
                if not self.has_change_permission(request, endpoint):
                    raise Http404
                return view(request, endpoint)

            wrapped = self.admin_site.admin_view(pressed)
            return path(f"<int:pk>/{name}/", wrapped, name=f"integrations_webhookendpoint_{name}")

        buttons = [
            button("test", self._test),
            button("pause", self._pause),
            button("resume", self._resume),
            button("replay", self._replay),
        ]
        return [*buttons, *super().get_urls()]

    def _test(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        """Send it a test now, and show how that went."""
        _only_pressed(request)
        delivery = try_out(endpoint=endpoint)
        if delivery.status == WebhookDelivery.Status.DELIVERED:
            messages.success(request, _("It took the test."))
        else:
            messages.error(
                request, _("It did not take the test: %(why)s") % {"why": delivery.error}
            )
        return HttpResponseRedirect(self.url("change", endpoint.pk))

    def _pause(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        said = _("Paused. What happens is kept for it until it goes on.")
        return self._set(request, endpoint, Status.PAUSED, said)

    def _resume(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        said = _("It goes on, with what was kept for it first.")
        if endpoint.status == Status.DISABLED:
            said = _("It goes on, with what happens from now on.")
        return self._set(request, endpoint, Status.ACTIVE, said)

    def _set(
        self, request: HttpRequest, endpoint: WebhookEndpoint, status: str, said: str
    ) -> HttpResponse:
        _only_pressed(request)
        services.change(endpoint=endpoint, values={"status": status})
        self.log_change(request, endpoint, [{"changed": {"fields": ["status"]}}])
        messages.success(request, said)
        return HttpResponseRedirect(self.url("change", endpoint.pk))

    def _replay(self, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
        """Ask which deliveries of a period are sent again, and send them."""
        form = RangeForm(request.POST if self.confirmed(request) else None)
        if form.is_valid():
            rows = WebhookDelivery.objects.for_organisation(endpoint.organisation_id)
            try:
                count = services.replay(endpoint=endpoint, deliveries=form.narrow(rows))
            except Conflict as refused:
                messages.error(request, refused.detail)
            else:
                tell_replayed(request, count)
            return HttpResponseRedirect(deliveries_of(endpoint))
        return self.ask(
            request,
            title=_("Send again what %(name)s was told in a period?") % {"name": endpoint},
            notes=replay_notes(),
            form=form,
            confirm=_("Send again"),
            back=deliveries_of(endpoint),
            obj=endpoint,
        )

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By a method, as in `organisations.admin`.
        return self.has_change_permission(request, obj)

    @action(description=gettext_lazy("New secret"), permissions=["manage"], icon="key")
    def new_secret(self, request: HttpRequest, object_id: str) -> HttpResponse:
        endpoint: WebhookEndpoint = self.existing(request, object_id)
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Give %(name)s a new secret?") % {"name": endpoint},
                notes=[
                    _("The present one ends in %(end)s.") % {"end": endpoint.secret_hint},
                    _("For a day messages are signed with both, so none is refused meanwhile."),
                    _("The one before the present one, if it still holds, ends at once."),
                ],
                confirm=_("Make a new secret"),
                back=self.url("change", endpoint.pk),
                obj=endpoint,
            )
        changed = services.rotate_secret(endpoint=endpoint)
        self.log_change(request, endpoint, [{"changed": {"fields": ["secret"]}}])
        return self._show_secret(
            request, changed, _("The new secret of %(name)s") % {"name": changed}
        )

    def _show_secret(
        self, request: HttpRequest, endpoint: WebhookEndpoint, title: str
    ) -> HttpResponse:
        response = TemplateResponse(
            request,
            "admin/webhooks/secret.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "secret": opened(endpoint.secret),
                "former_until": endpoint.former_secret_until,
                "next": self.url("change", endpoint.pk),
            },
        )
        response["Cache-Control"] = "no-store"
        return response


def _only_pressed(request: HttpRequest) -> None:
    if request.method != "POST":
        raise Http404


def deliveries_of(endpoint: WebhookEndpoint) -> str:
    """The list of what an endpoint was told."""
    return f"{reverse('admin:integrations_webhookdelivery_changelist')}?of={endpoint.pk}"


def why(endpoint: WebhookEndpoint) -> str:
    """Why an endpoint is switched off, or since when it fails; nothing when all is well."""
    if endpoint.status == Status.DISABLED:
        return endpoint.status_reason
    if endpoint.failing_since is None:
        return ""
    text = ngettext(
        "%(count)d failure since %(since)s",
        "%(count)d failures in a row since %(since)s",
        endpoint.failures_in_a_row,
    )
    since = date_format(timezone.localtime(endpoint.failing_since), "SHORT_DATETIME_FORMAT")
    return text % {"count": endpoint.failures_in_a_row, "since": since}


def figures(endpoint: WebhookEndpoint) -> list[tuple[str, Any]]:
    """How an endpoint does, as labels and values. Three queries, whatever it was told."""
    rows = WebhookDelivery.objects.for_organisation(endpoint.organisation_id)
    rows = rows.filter(endpoint=endpoint)
    yesterday = timezone.now() - timedelta(days=1)
    failed = rows.filter(status=WebhookDelivery.Status.FAILED, created_at__gt=yesterday)
    return [
        (_("Last told"), rows.values_list("created_at", flat=True).first()),
        (_("Failed since yesterday"), _counted(failed)),
        (_("To be sent"), _counted(rows.filter(due_at__isnull=False))),
    ]


def _counted(rows: QuerySet[WebhookDelivery]) -> str:
    count = rows.order_by()[: MANY + 1].count()
    return f"{MANY:,}+" if count > MANY else f"{count:,}"


def replay_notes() -> list[str]:
    """What sending again means, for the page that asks."""
    return [
        _("The same bytes are sent, under the same ids, by which a receiver knows repetitions."),
        _("Left out are those whose contact's data was erased."),
    ]


def tell_replayed(request: HttpRequest, count: int) -> None:
    """How many deliveries are sent again, as a message."""
    text = ngettext(
        "%(count)s delivery is sent again.", "%(count)s deliveries are sent again.", count
    )
    messages.success(request, text % {"count": f"{count:,}"})
