"""Contacts in the admin: the list, the form, and what is done to one of them or to many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from contacts import services
from contacts.admin import bulk, columns, explaining, history, merging, page
from contacts.admin.filters import (
    CreatedFilter,
    KindFilter,
    LastInteractionFilter,
    RfmFilter,
    SegmentFilter,
    SpendFilter,
    TagFilter,
)
from contacts.admin.forms import AddressFormSet, AddressInline, ContactForm
from contacts.admin.panels import PANELS
from contacts.models import Contact, Tag
from contacts.querysets import ContactQuerySet
from contacts.segments import queue
from contacts.services.values import COLUMNS
from contacts.views import by_name, by_total
from crm import money
from crm.admin.base import WithViews, link
from crm.admin.columns import Column
from crm.admin.forms import Refused, ServiceForm, ServiceFormSet
from crm.admin.unfold import action, display
from crm.errors import Conflict
from organisations.middleware import organisation_of
from organisations.models import Organisation


@admin.register(Contact)
class ContactAdmin(WithViews):
    """People and businesses."""

    form = ContactForm
    inlines = (AddressInline,)
    list_display = (
        "shown_name",
        "email_address",
        "phone",
        "tag_list",
        "total_spend",
        "total_orders",
        "last_interaction",
        "created",
    )
    list_display_links = ("shown_name",)
    list_select_related = ("rollup",)
    prefetch = (Prefetch("tags", Tag.objects.across_organisations().order_by("name")),)
    search_fields = ("search_text",)
    search_help_text = gettext_lazy("Name, e-mail or phone")
    ordering = ("-created_at", "-id")
    sortable_by = ("shown_name", "total_spend", "total_orders", "last_interaction", "created")
    orderings = {
        "shown_name": by_name,
        "total_spend": by_total("total_spend"),
        "total_orders": by_total("total_orders"),
        "last_interaction": by_total("last_interacted_at"),
    }
    actions = ("merge_chosen", "delete_chosen")
    actions_detail = (
        {"title": gettext_lazy("More"), "items": ["merge_with", "explain", "redact"]},
    )
    change_form_template = "admin/contacts/page.html"

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).filter(merged_into=None)

    def for_list(self, rows: QuerySet[Contact]) -> QuerySet[Contact]:
        return super().for_list(rows.select_related("rollup"))

    def more_columns(self, request: HttpRequest) -> Sequence[Column]:
        return columns.columns(request) if organisation_of(request) is not None else ()

    def for_sorting(self, request: HttpRequest, rows: QuerySet[Any], column: str) -> QuerySet[Any]:
        organisation = organisation_of(request)
        if column not in columns.BY_TOTALS or organisation is None:
            return rows
        return cast(ContactQuerySet, rows).with_totals(organisation)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        known = getattr(request, "contact_filters", None)
        if known is None:
            known = [
                TagFilter,
                LastInteractionFilter,
                SpendFilter,
                RfmFilter,
                CreatedFilter,
                KindFilter,
            ]
            organisation = organisation_of(request)
            if organisation is not None and organisation.listened_by(queue.LISTENER):
                known.insert(1, SegmentFilter)
            if organisation is not None:
                # Custom fields, of which there may be many, come last.
                known += [one for panel in reversed(PANELS) for one in panel.filters(request)]
            request.contact_filters = known  # type: ignore[attr-defined]
        return cast("list[Any]", known)

    @display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, obj: Contact) -> str:
        return str(obj)

    @display(description=gettext_lazy("phone"))
    def phone(self, obj: Contact) -> str:
        return obj.phone_number or ""

    @display(description=gettext_lazy("tags"))
    def tag_list(self, obj: Contact) -> SafeString:
        return chips([tag.name for tag in obj.tags.all()])

    @display(description=gettext_lazy("total spend"), ordering="rollup__total_spend")
    def total_spend(self, obj: Contact) -> SafeString:
        return format_html(
            '<span class="rg-amount">{}</span>',
            money.show(obj.rollup.total_spend, obj.organisation.currency_code),
        )

    @display(description=gettext_lazy("orders"), ordering="rollup__total_orders")
    def total_orders(self, obj: Contact) -> int:
        return obj.rollup.total_orders

    @display(description=gettext_lazy("last interaction"), ordering="rollup__last_interacted_at")
    def last_interaction(self, obj: Contact) -> str:
        moment = obj.rollup.last_interacted_at
        return _day(moment) if moment else ""

    @display(description=gettext_lazy("created"), ordering="created_at")
    def created(self, obj: Contact) -> str:
        return _day(obj.created_at)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        for panel in PANELS:
            for one in panel.bulk_actions():
                if request.user.has_perm(one.permission):
                    actions[one.name] = (one.run, one.name, one.label)
        return actions

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        buttons = [button for panel in PANELS for button in panel.list_buttons(request)]
        return super().changelist_view(request, {"list_buttons": buttons, **(extra_context or {})})

    @admin.action(description=gettext_lazy("Merge two"), permissions=["merge"])
    def merge_chosen(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return bulk.merge(self, request, queryset)

    @admin.action(description=gettext_lazy("Delete"), permissions=["delete"])
    def delete_chosen(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return bulk.delete(self, request, queryset)

    def has_merge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and request.user.has_perm("contacts.merge_contact")

    def has_redact_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._owns(request, obj) and request.user.has_perm("contacts.redact_contact")

    # The form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        tags = ["tags"]
        if request.user.has_perm("contacts.add_tag"):
            tags.append("new_tags")
        identity: list[Any] = [
            "kind",
            ("first_name", "last_name"),
            "name",
            "email_address",
            "phone_number",
            "phone_number_country_code",
            "dob",
            "timezone",
        ]
        fieldsets: list[Any] = [(None, {"fields": [*identity, *tags]})]
        if organisation_of(request) is not None:
            for panel in PANELS:
                fieldsets += panel.fieldsets(request, obj)
        return fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ()

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        declared: dict[str, Any] = {}
        if organisation_of(request) is not None:
            for panel in PANELS:
                declared |= panel.form_fields(request, obj)
        kwargs["form"] = type("ContactForm", (ContactForm,), declared)
        return super().get_form(request, obj, change=change, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What was erased on request is not written again.
        erased = isinstance(obj, Contact) and obj.redacted_at is not None
        return not erased and super().has_change_permission(request, obj)

    def write(
        self,
        request: HttpRequest,
        obj: Contact | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Contact:
        assert isinstance(form, ContactForm)
        changed = form.changed_values()
        values = {name: value for name, value in changed.items() if name in COLUMNS}
        if {"tags", "new_tags"} & changed.keys():
            values["tags"] = form.tag_names()
        for panel in PANELS:
            values |= panel.values(changed)
        for formset in formsets:
            if isinstance(formset, AddressFormSet) and formset.is_changed:
                values["addresses"] = formset.rows()
        if obj is not None:
            return services.update(contact=obj, values=values)
        organisation = organisation_of(request)
        assert organisation is not None
        contact, _created = services.upsert(
            organisation=organisation, values=values, on_conflict="fail"
        )
        return contact

    def refusal(self, error: ValidationError | Conflict) -> Refused:
        """With links to the contacts that a conflict names."""
        refused = super().refusal(error)
        if isinstance(error, Conflict) and error.ids:
            names = Contact.objects.across_organisations().in_bulk(error.ids).values()
            lines = format_html_join(", ", "{}", ((link(contact),) for contact in names))
            for path, told in refused.by_path.items():
                refused.by_path[path] = [format_html("{} {}", line, lines) for line in told]
        return refused

    def erase(self, request: HttpRequest, obj: Contact) -> None:
        services.delete(contact=obj)

    def consequences(self, obj: Contact) -> list[str]:
        return [
            _("Names, identifiers, addresses and tags are deleted."),
            *(line for panel in PANELS for line in panel.deleted(obj)),
            _("To keep activities and totals without the personal data, redact instead."),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """What is known of the contact, what happened, and the form. The address of a contact that
        was merged leads to the one that it is part of now."""
        contact = self._survivor(request, object_id)
        if contact is not None and str(contact.pk) != object_id:
            messages.info(
                request, _("Contact %(id)s was merged into this one.") % {"id": object_id}
            )
            return HttpResponseRedirect(self.url("change", contact.pk))
        shown = contact is not None and self.has_view_permission(request, contact)
        context = {"contact": contact} if shown else {}
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Only here, because what is saved leads away from the page."""
        contact = context.get("contact")
        if contact is not None:
            context |= page.context(self, request, contact)
            context["facts"] = page.facts(context["adminform"], contact)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Back to the page of the contact, where one works."""
        return HttpResponseRedirect(self.url("change", obj.pk))

    def _survivor(self, request: HttpRequest, object_id: str) -> Contact | None:
        organisation = organisation_of(request)
        if organisation is None or not object_id.isdecimal() or len(object_id) > 18:
            return None
        contacts = Contact.objects.for_organisation(organisation).select_related("rollup")
        try:
            contact = contacts.resolve(int(object_id))
        except Contact.DoesNotExist:
            return None
        contact.organisation = organisation
        return contact

    # One contact

    @action(
        description=gettext_lazy("Merge with another"),
        permissions=["merge"],
        url_path="merge",
        icon="merge",
    )
    def merge_with(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return merging.merge(self, request, self.existing(request, object_id))

    @action(description=gettext_lazy("Explain the totals"), permissions=["view"], icon="calculate")
    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact = self.existing(request, object_id)
        contact.organisation = cast(Organisation, organisation_of(request))
        return explaining.page(self, request, contact)

    @action(
        description=gettext_lazy("Redact"),
        permissions=["redact"],
        icon="person_off",
        variant=ActionVariant.DANGER,
    )
    def redact(self, request: HttpRequest, object_id: str) -> HttpResponse:
        contact = self.existing(request, object_id)
        back = self.url("change", object_id)
        if contact.redacted_at is not None:
            messages.info(request, _("This contact was redacted already."))
            return HttpResponseRedirect(back)
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Redact %(name)s?") % {"name": contact},
                notes=[
                    _("Erased: names, e-mail, phone, date of birth, addresses."),
                    *(line for panel in PANELS for line in panel.erased(contact)),
                    _("Kept: activities, totals and tags, of nobody in particular."),
                    _("This cannot be undone."),
                ],
                confirm=_("Redact"),
                danger=True,
                back=back,
                obj=contact,
            )
        services.redact(contact=contact)
        self.log_change(request, contact, [{"changed": {"fields": ["redacted"]}}])
        messages.success(request, _("The personal data is erased."))
        return HttpResponseRedirect(back)

    def get_urls(self) -> list[Any]:
        from django.urls import path

        name = f"{self.opts.app_label}_{self.opts.model_name}"
        unmerge = self.admin_site.admin_view(self.unmerge)
        put_back = self.admin_site.admin_view(self.put_back)
        return [
            path("<int:object_id>/unmerge/<int:absorbed_id>/", unmerge, name=f"{name}_unmerge"),
            path("<int:object_id>/history/<int:key>/", put_back, name=f"{name}_put_back"),
            *page.urls(self),
            *super().get_urls(),
        ]

    def unmerge(self, request: HttpRequest, object_id: int, absorbed_id: int) -> HttpResponse:
        """Ask, then take a merge back."""
        contact = self.existing(request, str(object_id))
        if not self.has_merge_permission(request, contact):
            raise Http404
        return merging.unmerge(self, request, contact, absorbed_id)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who changed what, whichever door they came through. Instead of Django's log, which knows
        only of its own forms."""
        contact = self._survivor(request, object_id)
        if contact is None or not self.has_view_permission(request, contact):
            raise Http404
        if str(contact.pk) != object_id:
            return HttpResponseRedirect(self.url("history", contact.pk))
        return history.page(self, request, contact)

    def put_back(self, request: HttpRequest, object_id: int, key: int) -> HttpResponse:
        """Ask, then put a value of a change back."""
        contact = self._survivor(request, str(object_id))
        if contact is None or contact.pk != object_id or key >= 2**62:
            raise Http404
        if not self.has_change_permission(request, contact):
            raise Http404
        return history.put_back(self, request, contact, key)

    # The log keeps no personal data: it outlives the contact.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, Unnamed(obj), message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, Unnamed(obj), message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        unnamed: Any = [Unnamed(obj) for obj in queryset]
        return super().log_deletions(request, unnamed)


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT")


class Unnamed:
    """A row as the log knows it: by its number."""

    def __init__(self, obj: Any) -> None:
        self.pk = obj.pk
        self._meta = obj._meta

    def __str__(self) -> str:
        return f"#{self.pk}"


def chips(names: Sequence[str]) -> SafeString:
    """Words in little frames."""
    return format_html_join("", '<span class="rg-chip">{}</span>', ((name,) for name in names))
