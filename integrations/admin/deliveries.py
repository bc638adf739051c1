"""The inbox: what other systems delivered, what it made, and doing it again."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.admin.base import OrganisationAdmin, counted, link
from crm.admin.filters import ChoiceFilter, MomentFilter, TextFilter
from crm.admin.unfold import action, display
from integrations import services
from integrations.admin.forms import STYLES
from integrations.admin.mapping import is_mapped
from integrations.models import Connection, Delivery
from integrations.querysets import DeliveryQuerySet
from integrations.sources.base import NotUnderstood, dump, parse
from organisations.middleware import organisation_of

MOST_TRACES = 50
LONGEST_BODY = 200_000
SHORT = 60

Status = Delivery.Status


class OfFilter(ChoiceFilter):
    title = gettext_lazy("Connection")
    parameter_name = "of"

    def options(self) -> list[tuple[str, Any]]:
        organisation = organisation_of(self.request)
        if organisation is None:
            return []
        rows = Connection.objects.for_organisation(organisation)
        return [(str(pk), name) for pk, name in rows.values_list("pk", "name")]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(connection=self.answer())


class StatusFilter(ChoiceFilter):
    title = gettext_lazy("Status")
    parameter_name = "how"

    def options(self) -> list[tuple[str, Any]]:
        return list(Status.choices)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return cast(DeliveryQuerySet, rows).of_status(self.answer())


class TopicFilter(TextFilter):
    title = gettext_lazy("Topic")
    parameter_name = "about"

    def narrow(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(topic=self.answer().strip())


class ReceivedFilter(MomentFilter):
    title = gettext_lazy("Received")
    parameter_name = "received"
    column = "received_at"


@admin.register(Delivery)
class DeliveryAdmin(OrganisationAdmin):
    """What came in, newest first. It is only read, and applied again."""

    list_display = ("received_at", "connection_name", "topic", "coloured_status", "in_short")
    list_filter = (OfFilter, StatusFilter, TopicFilter, ReceivedFilter)
    ordering = ("-received_at", "-id")
    sortable_by = ("received_at",)
    prefetch = (Prefetch("connection", Connection.objects.across_organisations()),)
    actions = ("replay_chosen",)
    actions_detail = ("replay",)
    change_form_outer_before_template = "admin/integrations/delivery.html"

    class Media:
        css: ClassVar = STYLES

    fieldsets = (
        (
            None,
            {
                "fields": (
                    "connection_name",
                    "topic",
                    "status",
                    "verdict",
                    "said",
                    "made",
                    "received_at",
                    "applied_at",
                    "next_attempt",
                    "attempts",
                )
            },
        ),
        (gettext_lazy("What came"), {"fields": ("shown_headers", "shown_body")}),
    )

    def for_list(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return super().for_list(rows.defer("headers", "body"))

    @display(description=gettext_lazy("connection"))
    def connection_name(self, obj: Delivery) -> str:
        return link(obj.connection)

    @display(
        description=gettext_lazy("status"),
        label={
            Status.RECEIVED: "info",
            Status.WAITING: "warning",
            Status.APPLIED: "success",
            Status.FAILED: "danger",
            Status.REFUSED: "danger",
        },
    )
    def coloured_status(self, obj: Delivery) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("what came of it"))
    def in_short(self, obj: Delivery) -> str:
        line = next(iter(_said(obj)), "—")
        return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"

    @display(description=gettext_lazy("what came of it"))
    def said(self, obj: Delivery) -> SafeString | str:
        return _lines(_said(obj)) if _said(obj) else "—"

    @display(description=gettext_lazy("next attempt"))
    def next_attempt(self, obj: Delivery) -> Any:
        return obj.due_at

    @display(description=gettext_lazy("made or changed"))
    def made(self, obj: Delivery) -> SafeString | str:
        traces = obj.traces.select_related("contact", "activity").order_by("pk")
        lines = [
            format_html("{} · {}", link(one.contact), link(one.activity, one.activity.type))
            if one.activity is not None
            else link(one.contact)
            for one in traces[:MOST_TRACES]
        ]
        return _lines(lines) if lines else "—"

    @display(description=gettext_lazy("headers"))
    def shown_headers(self, obj: Delivery) -> SafeString | str:
        lines = format_html_join(
            "", "<li>{}: <strong>{}</strong></li>", sorted(obj.headers.items())
        )
        return format_html('<ul class="rg-lines">{}</ul>', lines) if lines else "—"

    @display(description=gettext_lazy("body"))
    def shown_body(self, obj: Delivery) -> SafeString | str:
        if not obj.body:
            return _("Not kept: it was refused or not understood, or its contact was erased.")
        text = pretty(obj.body)
        if len(text) > LONGEST_BODY:
            text = f"{text[:LONGEST_BODY]}\n…"
        return format_html('<pre class="rg-code" tabindex="0">{}</pre>', text)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # they go by themselves, after INBOX_KEEP_DAYS

    # Saying what it means

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        delivery: Delivery = self.existing(request, object_id)
        may = self.has_replay_permission(request) and bool(delivery.body)
        mapped = delivery if may and is_mapped(delivery.connection) else None
        return super().change_view(
            request, object_id, form_url, {"mapped": mapped, **(extra_context or {})}
        )

    # Applying again

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By a method, as in `organisations.admin`.
        return super().has_change_permission(request)

    @action(description=gettext_lazy("Apply again"), permissions=["replay"], icon="replay")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        delivery: Delivery = self.existing(request, object_id)
        rows = self.get_queryset(request).filter(pk=delivery.pk)
        back = self.url("change", delivery.pk)
        return self._replay(request, rows, 1, back) or HttpResponseRedirect(back)

    @admin.action(description=gettext_lazy("Apply again"), permissions=["replay"])
    def replay_chosen(
        self, request: HttpRequest, queryset: QuerySet[Delivery]
    ) -> HttpResponse | None:
        count = self.chosen(request, queryset)
        if count is None:
            return None
        return self._replay(request, queryset, count, request.get_full_path())

    def _replay(
        self, request: HttpRequest, rows: QuerySet[Delivery], count: int, back: str
    ) -> HttpResponse | None:
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Apply %(deliveries)s again?") % {"deliveries": counted(count, Delivery)},
                notes=[
                    _("What is known already does not double, and nothing older is written over."),
                    _("Refused ones, and those whose body is not kept, are left out."),
                ],
                confirm=_("Apply again"),
                back=back,
            )
        done = services.replay(deliveries=cast(DeliveryQuerySet, rows))
        text = ngettext(
            "%(count)s delivery is applied again.", "%(count)s deliveries are applied again.", done
        )
        messages.success(request, text % {"count": f"{done:,}"})
        return None


def pretty(body: str) -> str:
    """A stored body, indented, its numbers as they were spelt."""
    try:
        return dump(parse(body), indent=2)
    except NotUnderstood:
        return body


def _said(delivery: Delivery) -> list[str]:
    refused = delivery.verdict if delivery.status == Status.REFUSED else ""
    return [line for line in (refused, delivery.error, *delivery.notes) if line]


def _lines(lines: list[Any]) -> SafeString:
    items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
    return format_html('<ul class="rg-lines">{}</ul>', items)
