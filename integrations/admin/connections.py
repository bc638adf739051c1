"""Connections to other systems: how they are made, how they do, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, cast

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import action, display
from integrations import services
from integrations.admin.forms import CREDENTIAL, FORGET, OPTION, STYLES, ConnectionForm, form_of
from integrations.admin.mapping import MappingPage, is_mapped
from integrations.models import Connection, Delivery
from integrations.secrets import Unreadable
from integrations.sources import SOURCES, Source
from integrations.sources.base import Asleep, NotUnderstood
from organisations.middleware import organisation_of
from organisations.models import Organisation

MANY = 1000
"""As many failures, and deliveries that wait, as are counted."""

Status = Connection.Status


@admin.register(Connection)
class ConnectionAdmin(MappingPage):
    """Accounts at other systems. Whoever may only look sees neither credentials nor address."""

    form = ConnectionForm
    list_display = ("name", "kind", "namespace", "coloured_status", "last_delivery", "polled_at")
    ordering = ("name", "id")
    change_form_outer_before_template = "admin/integrations/connection.html"
    actions_detail = ("new_address", "disconnect")

    class Media:
        css: ClassVar = STYLES

    # The list

    def for_list(self, rows: QuerySet[Connection]) -> QuerySet[Connection]:
        newest = Delivery.objects.across_organisations().filter(connection=OuterRef("pk"))
        return super().for_list(
            rows.annotate(delivered_at=Subquery(newest.values("received_at")[:1]))
        )

    @display(description=gettext_lazy("source"))
    def kind(self, obj: Connection) -> str:
        return _label(obj.source)

    @display(
        description=gettext_lazy("status"),
        label={Status.ACTIVE: "success", Status.PAUSED: "warning", Status.DISABLED: "danger"},
    )
    def coloured_status(self, obj: Connection) -> tuple[str, str]:
        return obj.status, obj.get_status_display()

    @display(description=gettext_lazy("last delivery"))
    def last_delivery(self, obj: Any) -> Any:
        return obj.delivered_at

    # The form

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kind = _kind_of(request, obj)
        if kind is not None:
            kwargs["form"] = form_of(kind, obj)
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        kind = _kind_of(request, obj)
        declared = form_of(kind, obj).declared_fields if kind is not None else {}

        def fields(*prefixes: str) -> list[str]:
            return [name for name in declared if name.startswith(prefixes)]

        first = ("name", "namespace", "status") if obj is not None else ("name",)
        sets: list[Any] = [(None, {"fields": first})]
        if self.has_change_permission(request, obj):
            sets.append((_("Credentials"), {"fields": fields(CREDENTIAL, FORGET)}))
        return [*sets, (_("How it works"), {"fields": fields(OPTION)})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("namespace", "status")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "name":
            field.required = False
            field.help_text = _("As it is called here; left empty, it is called by its account.")
        return field

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """First the source is chosen, which says what its form asks for."""
        kind = _kind_of(request, None)
        if kind is not None:
            title = _("Connect %(source)s") % {"source": kind.label}
            return super().add_view(request, form_url, {"title": title, **(extra_context or {})})
        if not self.has_add_permission(request):
            raise Http404
        return TemplateResponse(
            request,
            "admin/integrations/choose.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("What do you want to connect?"),
                "media": self.media,
                "sources": sorted(SOURCES.values(), key=lambda one: one.label),
            },
        )

    def write(
        self,
        request: HttpRequest,
        obj: Connection | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Connection:
        form = cast(ConnectionForm, form)
        name = form.cleaned_data["name"]
        if obj is not None:
            return services.change(
                connection=obj, name=name, credentials=form.credentials(), options=form.options()
            )
        kind = _kind_of(request, None)
        assert kind is not None
        given = {key: value for key, value in form.credentials().items() if value}
        return services.connect(
            organisation=cast(Organisation, organisation_of(request)),
            source=kind.name,
            name=name,
            credentials=given,
            options=form.options(),
        )

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """On to its page, which has the address to enter at the other system."""
        messages.success(request, _("%(name)s is connected.") % {"name": obj})
        return HttpResponseRedirect(self.url("change", obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it is disconnected, which says what stays

    # How it does

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        connection: Connection = self.existing(request, object_id)
        kind = SOURCES.get(connection.source)
        may = self.has_change_permission(request, connection)
        context = {
            "connection": connection,
            "source": kind,
            "may_change": may,
            "address": _address(connection) if may and kind is not None and kind.hooks else "",
            "health": health(connection),
            "mapped": may and is_mapped(connection),
            "inbox": f"{reverse('admin:integrations_delivery_changelist')}?of={connection.pk}",
        }
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    # What is done with it

    def get_urls(self) -> list[Any]:
        def button(name: str, view: Callable[[HttpRequest, Connection], None]) -> Any:
            def pressed(request: HttpRequest, pk: int) -> HttpResponse:
                connection = self.existing(request, str(pk))
                if request.method != "POST" or not self.has_change_permission(request, connection):
                    raise Http404
                view(request, connection)
                return HttpResponseRedirect(self.url("change", pk))

            wrapped = self.admin_site.admin_view(pressed)
            return path(f"<int:pk>/{name}/", wrapped, name=f"integrations_connection_{name}")

        buttons = [
            button("test", self._test),
            button("pause", self._pause),
            button("resume", self._resume),
        ]
        return [*buttons, *super().get_urls()]

    def _test(self, request: HttpRequest, connection: Connection) -> None:
        """Ask the other system something, and show what it says."""
        try:
            said = SOURCES[connection.source].test(connection)
        except (Asleep, NotUnderstood, Unreadable) as error:
            messages.error(request, str(error))
        else:
            messages.success(request, said)

    def _pause(self, request: HttpRequest, connection: Connection) -> None:
        services.pause(connection=connection)
        messages.success(request, _("Paused. What comes in lies there until it is resumed."))

    def _resume(self, request: HttpRequest, connection: Connection) -> None:
        services.resume(connection=connection)
        messages.success(request, _("It goes on, with what came in meanwhile first."))

    def has_manage_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By a method, as in `organisations.admin`.
        return self.has_change_permission(request, obj)

    @action(description=gettext_lazy("Another address"), permissions=["manage"], icon="sync_lock")
    def new_address(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: Connection = self.existing(request, object_id)
        back = self.url("change", connection.pk)
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Give %(name)s another address?") % {"name": connection},
                notes=[
                    _("For when the present one became known to somebody."),
                    _(
                        "The present one is refused from now on: enter the new one at the other "
                        "system right away."
                    ),
                ],
                confirm=_("Change the address"),
                danger=True,
                back=back,
                obj=connection,
            )
        services.change_address(connection=connection)
        self.log_change(request, connection, [{"changed": {"fields": ["address"]}}])
        messages.success(request, _("The address is changed. Enter the new one there."))
        return HttpResponseRedirect(back)

    @action(
        description=gettext_lazy("Disconnect"),
        permissions=["manage"],
        icon="link_off",
        variant=ActionVariant.DANGER,
    )
    def disconnect(self, request: HttpRequest, object_id: str) -> HttpResponse:
        connection: Connection = self.existing(request, object_id)
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Disconnect %(name)s?") % {"name": connection},
                notes=[
                    _("Its credentials, its address and all that it delivered are deleted."),
                    _("Contacts, activities, totals and the ids of contacts there stay."),
                    _("Connected again, it goes on with them. Pausing deletes nothing."),
                ],
                confirm=_("Disconnect"),
                danger=True,
                back=self.url("change", connection.pk),
                obj=connection,
            )
        self.log_deletions(
            request,
            Connection.objects.for_organisation(connection.organisation_id).filter(
                pk=connection.pk
            ),
        )
        services.disconnect(connection=connection)
        messages.success(request, _("%(name)s is disconnected.") % {"name": connection})
        return HttpResponseRedirect(self.url("changelist"))


def _kind_of(request: HttpRequest, connection: Connection | None) -> Source | None:
    """The source of a connection, or the one that was chosen for a new one."""
    name = connection.source if connection is not None else request.GET.get("source", "")
    return SOURCES.get(name)


def _label(source: str) -> str:
    return SOURCES[source].label if source in SOURCES else source


def _address(connection: Connection) -> str:
    """The whole address to enter at the other system."""
    try:
        return f"{settings.SITE_URL}{connection.path}"
    except Unreadable as error:
        return str(error)


def health(connection: Connection) -> list[tuple[str, Any]]:
    """How a connection does, as labels and values. Three queries, whatever it delivered."""
    rows = Delivery.objects.for_organisation(connection.organisation_id).filter(
        connection=connection
    )
    latest = rows.values_list("received_at", flat=True).first()
    yesterday = timezone.now() - timedelta(days=1)
    failed = rows.of_status(Delivery.Status.FAILED).filter(received_at__gt=yesterday)
    lines: list[tuple[str, Any]] = [
        (_("Last delivery"), latest),
        (_("Failed since yesterday"), _counted(failed)),
        (_("To be applied"), _counted(rows.filter(due_at__isnull=False))),
    ]
    if connection.poll_due_at is not None or connection.polled_at is not None:
        lines.append((_("Last asked"), connection.polled_at))
    return lines


def _counted(rows: QuerySet[Delivery]) -> str:
    count = rows.order_by()[: MANY + 1].count()
    return f"{MANY:,}+" if count > MANY else f"{count:,}"
