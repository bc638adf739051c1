"""Messages, alerts, and how an organisation sends, in the admin."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts import timeline
from contacts.models import Contact
from contacts.timeline import Cursor, Entry, TimelineSource
from crm.admin.base import OrganisationAdmin, link
from crm.admin.filters import MomentFilter
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.site import DASHBOARD
from crm.admin.unfold import action, display
from organisations.middleware import organisation_of
from organisations.models import Organisation
from workflows import alerts
from workflows.messages import configuration, plain
from workflows.messages.models import Channel, Message, MessageSettings
from workflows.models import Alert

LONGEST_PREVIEW = 160
CONTACTS = Prefetch("contact", Contact.objects.across_organisations())


class CreatedFilter(MomentFilter):
    title = gettext_lazy("Created")
    parameter_name = "created"
    column = "created_at"


class Untouched(OrganisationAdmin):
    """Rows that a person looks at and does not make or change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(Untouched):
    """What was sent, and what was not and why."""

    list_display = ("about", "recipient", "by", "coloured_status", "reason", "created_at")
    list_filter = (CreatedFilter,)
    ordering = ("-created_at", "-id")
    url_lookups = ("contact", "contact__exact")
    prefetch = (CONTACTS,)
    fields = (
        "recipient",
        "by",
        "status",
        "reason",
        "to",
        "subject",
        "said",
        "transactional",
        "created_at",
        "provider_id",
    )

    @display(description=gettext_lazy("message"))
    def about(self, obj: Message) -> str:
        said = obj.subject or obj.body or "—"
        return said if len(said) <= 60 else f"{said[:59]}…"

    @display(description=gettext_lazy("contact"))
    def recipient(self, obj: Message) -> str:
        return link(obj.contact)

    @display(description=gettext_lazy("by"))
    def by(self, obj: Message) -> str:
        return str(obj.get_channel_display())

    @display(
        description=gettext_lazy("status"),
        label={
            Message.Status.SENT: "success",
            Message.Status.SKIPPED: "warning",
            Message.Status.FAILED: "danger",
        },
    )
    def coloured_status(self, obj: Message) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("text"))
    def said(self, obj: Message) -> str:
        # As plain text: what a template made must not run in the admin.
        text = plain.text_of(obj.body) if _is_html(obj) else obj.body
        return format_html('<div style="white-space: pre-wrap">{}</div>', text) if text else "—"


def _is_html(message: Message) -> bool:
    return message.channel == Channel.EMAIL and message.body.lstrip()[:1] == "<"


class Messages(TimelineSource):
    """What a contact was sent, and what was not sent and why."""

    kind = "message"
    label = gettext_lazy("Messages")
    icon = "mail"
    permission = "workflows.view_message"
    position = 4

    def entries(
        self, request: HttpRequest, contact: Contact, before: Cursor | None, limit: int
    ) -> list[Entry]:
        rows = Message.objects.for_organisation(contact.organisation_id).filter(contact=contact)
        found = self.below(rows, before, "created_at")[:limit]
        return [self._entry(message) for message in found]

    def _entry(self, message: Message) -> Entry:
        status = format_html(
            '<span class="rg-badge rg-message-{}">{}</span>',
            message.status,
            message.get_status_display(),
        )
        text = plain.text_of(message.body) if _is_html(message) else message.body
        said = " ".join(text.split())
        short = said if len(said) <= LONGEST_PREVIEW else f"{said[: LONGEST_PREVIEW - 1]}…"
        return Entry(
            at=message.created_at,
            kind=self.kind,
            pk=message.pk,
            title=message.subject or str(message.get_channel_display()),
            icon="" if message.channel == Channel.EMAIL else "sms",
            url=reverse("admin:workflows_message_change", args=[message.pk]),
            detail=format_html("{} {} {}", status, message.reason, short),
            by=_("Workflow"),
        )


timeline.register(Messages())


@admin.register(Alert)
class AlertAdmin(Untouched):
    """What workflows told the staff."""

    list_display = ("first_line", "about", "created_at", "seen_at")
    ordering = ("-created_at", "-id")
    prefetch = (CONTACTS,)
    fields = ("whole_text", "about", "created_at", "seen_at", "seen_by")
    actions = ("mark_chosen",)
    actions_detail = ("mark",)

    @display(description=gettext_lazy("alert"))
    def first_line(self, obj: Alert) -> str:
        line = obj.text.partition("\n")[0]
        return line if len(line) <= 100 else f"{line[:99]}…"

    @display(description=gettext_lazy("text"))
    def whole_text(self, obj: Alert) -> str:
        return format_html('<div style="white-space: pre-wrap">{}</div>', obj.text)

    @display(description=gettext_lazy("about"))
    def about(self, obj: Alert) -> str:
        if obj.contact is not None:
            return link(obj.contact)
        # Paths of the admin's own only.
        if obj.link.startswith("/") and not obj.link.startswith("//"):
            return format_html('<a href="{}" class="rg-link">{}</a>', obj.link, _("Show"))
        return "—"

    def has_mark_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By a method, as in `organisations.admin`.
        return bool(request.user.has_perm("workflows.change_alert"))

    @action(description=gettext_lazy("Done"), permissions=["mark"], icon="check")
    def mark(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self._mark(request, [self.existing(request, object_id)])
        return HttpResponseRedirect(self.url("changelist"))

    @admin.action(description=gettext_lazy("Mark as done"), permissions=["change"])
    def mark_chosen(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        if self.chosen(request, queryset) is not None:
            self._mark(request, list(queryset))

    def _mark(self, request: HttpRequest, chosen: list[Alert]) -> None:
        marked = alerts.mark_seen(alerts=chosen, by=cast(User, request.user))
        text = ngettext("%(count)d alert is done.", "%(count)d alerts are done.", marked)
        messages.success(request, text % {"count": marked})


@admin.register(MessageSettings)
class MessageSettingsAdmin(OrganisationAdmin):
    """How the organisation sends. One row: the list leads to it."""

    list_display = ("__str__", "sender_name", "sender_email", "updated_at")
    ordering = ("id",)
    fieldsets = (
        (gettext_lazy("E-mail"), {"fields": ("sender_name", "sender_email", "reply_to")}),
        (gettext_lazy("SMS"), {"fields": ("sms_sender",)}),
        (
            gettext_lazy("When and to whom"),
            {"fields": ("send_to_unknown", "quiet_from", "quiet_to", "locale")},
        ),
    )
    secret = (
        gettext_lazy("Calls to other systems"),
        {
            "fields": ("webhook_secret",),
            "description": gettext_lazy(
                "Whoever receives a call checks its signature with this (docs/messages.md)."
            ),
        },
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = obj is not None and request.user.has_perm("organisations.view_apikey")
        return (*self.fieldsets, self.secret) if shown else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("webhook_secret",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Not from the page of the one that is there: no button leads nowhere.
        match = request.resolver_match
        there = match is not None and "object_id" in match.kwargs
        return not there and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """There is one: whoever adds another is led to it."""
        there = self.get_queryset(request).first()
        if there is not None:
            return HttpResponseRedirect(self.url("change", there.pk))
        return super().add_view(request, form_url, extra_context)

    def write(
        self,
        request: HttpRequest,
        obj: MessageSettings | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> MessageSettings:
        organisation = cast(Organisation, organisation_of(request))
        return configuration.change(organisation=organisation, values=form.cleaned_data)


def open_alerts(request: HttpRequest) -> dict[str, Any]:
    """The first page's share: what nobody has dealt with, the newest five, and whether there are
    more. One query."""
    if not request.user.has_perm("workflows.view_alert"):
        return {}
    organisation = cast(Organisation, organisation_of(request))
    unseen = Alert.objects.for_organisation(organisation).filter(seen_at=None)
    return {"open_alerts": list(unseen.order_by("-created_at", "-id")[:MANY])}


MANY = 100
"""As many open alerts as are counted; past that it says 99+."""

DASHBOARD.append(open_alerts)
