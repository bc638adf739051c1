"""Organisations, the staff who work in them, API keys, and users, in the admin."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
)

from crm.admin.base import OrganisationAdmin
from crm.admin.choices import countries, currencies, timezones
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import ModelAdmin, action, display
from crm.api import scopes
from organisations import own_page, roles, services  # noqa: F401 - own_page: its address
from organisations.middleware import organisation_of
from organisations.models import ApiKey, Membership, Organisation

admin.site.unregister(Group)  # roles are written down in organisations/roles.py


def _default(column: str) -> Any:
    """Of a new organisation. A field that is declared here does not take it from the model."""
    field: Any = Organisation._meta.get_field(column)
    return field.get_default()


class OrganisationForm(ServiceForm):
    """What an organisation is; lists to choose from instead of codes to know."""

    currency_code = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        choices=currencies,
        initial=_default("currency_code"),
        widget=UnfoldAdminSelect2Widget,
        help_text=gettext_lazy(
            "Total spend is counted in it. It cannot be changed once there are contacts."
        ),
    )
    country = forms.ChoiceField(
        label=gettext_lazy("Country"),
        choices=countries,
        initial=_default("country"),
        widget=UnfoldAdminSelect2Widget,
        help_text=gettext_lazy("Says how to read a phone number without a country code."),
    )
    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=timezones,
        initial=_default("timezone"),
        widget=UnfoldAdminSelect2Widget,
    )


@admin.register(Organisation)
class OrganisationsAdmin(OrganisationAdmin):
    """The organisation one works in; for superusers, all of them."""

    form = OrganisationForm
    fields = ("name", "status", "currency_code", "country", "timezone")
    list_display = ("name", "currency_code", "country", "timezone", "status", "created_at")
    ordering = ("name",)
    search_fields = ("name",)
    change_form_outer_before_template = "admin/organisations/work_here.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organisation]:
        if request.user.is_superuser:
            return Organisation.objects.order_by("name")
        return cast("QuerySet[Organisation]", super().get_queryset(request))

    def _owns(self, request: HttpRequest, obj: Any) -> bool:
        return (
            not isinstance(obj, Organisation)
            or obj == organisation_of(request)
            or bool(getattr(request.user, "is_superuser", False))
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # suspend it: deleting would take every contact along

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else [name for name in self.fields if name != "status"]

    def write(
        self,
        request: HttpRequest,
        obj: Organisation | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Organisation:
        if obj is None:
            return services.create_organisation(**form.cleaned_data)
        return services.update_organisation(organisation=obj, values=form.changed_values())


class MembershipForm(ServiceForm):
    """By e-mail when adding; the role alone afterwards."""

    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        widget=UnfoldAdminEmailInputWidget,
        help_text=gettext_lazy(
            "Someone who has no account yet gets one; you are then shown a link to pass on, under "
            "which they choose a password."
        ),
    )


@admin.register(Membership)
class MembershipAdmin(OrganisationAdmin):
    """Who works here, and in which role."""

    form = MembershipForm
    list_display = ("person", "email", "role_label", "last_login", "created_at")
    list_select_related = ("user", "role")
    ordering = ("user__username",)
    actions_detail = ("new_password_link",)

    @display(description=gettext_lazy("name"))
    def person(self, obj: Membership) -> str:
        return obj.user.get_full_name() or obj.user.get_username()

    @display(description=gettext_lazy("e-mail"))
    def email(self, obj: Membership) -> str:
        return obj.user.email

    @display(description=gettext_lazy("last log-in"))
    def last_login(self, obj: Membership) -> Any:
        return obj.user.last_login

    @display(description=gettext_lazy("role"), ordering="role")
    def role_label(self, obj: Membership) -> Any:
        return roles.LABELS.get(obj.role.name, obj.role.name)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("person", "email", "role") if obj else ("email", "role")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("person", "email") if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "role":
            field.queryset = Group.objects.filter(name__in=roles.ROLES).order_by("pk")
            field.label_from_instance = lambda role: roles.LABELS[role.name]
            field.widget = UnfoldAdminSelectWidget(choices=field.choices)
            field.help_text = _(
                "Read only looks; Staff adds and corrects contacts and activities; Manager also "
                "merges, deletes, exports and sets up; Owner also manages staff and API keys."
            )
        return field

    def write(
        self,
        request: HttpRequest,
        obj: Membership | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> Membership:
        role = form.cleaned_data["role"]
        if obj is not None:
            return services.change_role(membership=obj, role=role)
        organisation = organisation_of(request)
        assert organisation is not None
        membership, _created = services.add_member(
            organisation=organisation,
            email=form.cleaned_data["email"],
            role=role,
            added_by=cast(User, request.user),
        )
        return membership

    def erase(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_member(membership=obj)

    def consequences(self, obj: Membership) -> list[str]:
        return [_("They no longer work in this organisation. Their account stays.")]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        path = services.password_link(membership=obj)
        if path is None:
            return super().response_add(request, obj, post_url_continue)
        return self._show_link(request, obj, path)

    @action(
        description=gettext_lazy("Link to choose a password"),
        permissions=["change"],
        icon="link",
    )
    def new_password_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = self.existing(request, object_id)
        path = services.password_link(membership=membership)
        if path is None:
            messages.info(
                request,
                _("They have a password already. If it is lost, a superuser can set another."),
            )
            return HttpResponseRedirect(self.url("change", object_id))
        return self._show_link(request, membership, path)

    def _show_link(self, request: HttpRequest, membership: Membership, path: str) -> HttpResponse:
        response = TemplateResponse(
            request,
            "admin/organisations/password_link.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("A link for %(email)s") % {"email": membership.user.email},
                "link": request.build_absolute_uri(path),
                "list_url": self.url("changelist"),
            },
        )
        response["Cache-Control"] = "no-store"
        return response


class ApiKeyForm(ServiceForm):
    """A key's name, what it may do, and until when."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("May"),
        choices=scopes.choices,
        initial=[scopes.ALL],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("Give it no more than it needs."),
    )

    def clean_scopes(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["scopes"]
        if scopes.ALL in chosen and len(chosen) > 1:
            raise ValidationError(_("Choose either everything or some of it."), code="both")
        return chosen


@admin.register(ApiKey)
class ApiKeyAdmin(OrganisationAdmin):
    """Keys that speak for the organisation over the API."""

    form = ApiKeyForm
    fields = ("name", "scopes", "expires_at")
    list_display = ("name", "begins_with", "may", "state", "last_used_at", "created_at")
    ordering = ("-created_at", "-id")
    actions = ("revoke_chosen",)
    actions_detail = ("revoke",)

    @display(description=gettext_lazy("begins with"))
    def begins_with(self, obj: ApiKey) -> str:
        return f"{obj.prefix}…"

    @display(description=gettext_lazy("may"))
    def may(self, obj: ApiKey) -> str:
        return ", ".join(scopes.label(scope) for scope in obj.scopes)

    @display(
        description=gettext_lazy("state"),
        label={"active": "success", "expired": "warning", "revoked": "danger"},
    )
    def state(self, obj: ApiKey) -> tuple[str, str]:
        if obj.revoked_at:
            return "revoked", _("revoked")
        if obj.expires_at and obj.expires_at <= timezone.now():
            return "expired", _("expired")
        return "active", _("active")

    @display(description=gettext_lazy("state"))
    def state_now(self, obj: ApiKey) -> str:
        return self.state(obj)[1]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fields
        return (
            "name",
            "begins_with",
            "may",
            "state_now",
            "expires_at",
            "last_used_at",
            "revoked_at",
            "created_at",
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj) if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A key is made and revoked, never edited: who holds it relies on what it may do.
        return obj is None and super().has_change_permission(request)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By a method: Unfold looks a named permission up in the database while it checks, which
        # a database that is yet to be migrated cannot answer.
        return super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def write(
        self,
        request: HttpRequest,
        obj: ApiKey | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> ApiKey:
        organisation = organisation_of(request)
        if obj is not None or organisation is None:
            raise PermissionDenied
        key, secret = services.create_api_key(organisation=organisation, **form.cleaned_data)
        request.secret = secret  # type: ignore[attr-defined]  # for response_add, nowhere else
        return key

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        response = TemplateResponse(
            request,
            "admin/organisations/key.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("The key %(name)s") % {"name": obj.name},
                "secret": request.secret,  # type: ignore[attr-defined]
                "address": request.build_absolute_uri("/api/contacts"),
                "list_url": self.url("changelist"),
            },
        )
        response["Cache-Control"] = "no-store"
        return response

    @action(
        description=gettext_lazy("Revoke"),
        permissions=["revoke"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key = self.existing(request, object_id)
        return self._revoke(request, [key], back=self.url("change", object_id))

    @admin.action(description=gettext_lazy("Revoke"), permissions=["change"])
    def revoke_chosen(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse:
        return self._revoke(request, list(queryset), back=request.get_full_path())

    def _revoke(self, request: HttpRequest, keys: list[ApiKey], *, back: str) -> HttpResponse:
        if not self.confirmed(request):
            return self.ask(
                request,
                title=_("Revoke these keys?") if len(keys) > 1 else _("Revoke this key?"),
                notes=[
                    *(f"{key.name} ({key.prefix}…)" for key in keys),
                    _("Whatever uses it is refused from now on. This cannot be undone."),
                ],
                confirm=_("Revoke"),
                danger=True,
                back=back,
            )
        for key in keys:
            services.revoke_api_key(key=key)
            self.log_change(request, key, [{"changed": {"fields": ["revoked"]}}])
            messages.success(request, _("%(name)s is revoked.") % {"name": key})
        return HttpResponseRedirect(self.url("changelist"))


admin.site.unregister(User)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    """Accounts, for superusers. What an account may do is its role in each organisation."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser")
    list_filter = ()
    sortable_by = ("username",)
    show_full_result_count = False
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email")}),
        (
            gettext_lazy("May"),
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": gettext_lazy(
                    "What staff may do is their role in each organisation: see Staff."
                ),
            },
        ),
        (gettext_lazy("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "email", "usable_password", "password1", "password2")}),
        (gettext_lazy("May"), {"fields": ("is_staff", "is_superuser")}),
    )
