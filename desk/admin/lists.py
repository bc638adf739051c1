"""Saved views: kept from the list that they are of, and looked after in a list of their own."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.admin.base import OrganisationAdmin
from crm.admin.forms import ServiceForm, ServiceFormSet
from crm.admin.unfold import display
from desk.lists import services
from desk.lists.models import SavedView
from organisations.middleware import organisation_of

SHARE = "desk.share_savedview"


def list_of(screen: str) -> str:
    """The address of a list, such as `contacts.contact`."""
    return reverse(f"admin:{screen.replace('.', '_')}_changelist")


def address_of(view: SavedView) -> str:
    """The list as the view shows it."""
    return f"{list_of(view.screen)}?{view.query}{'&' if view.query else ''}view={view.pk}"


@admin.register(SavedView)
class SavedViewAdmin(OrganisationAdmin):
    """One's own views, and those that others share."""

    list_display = ("name", "of_list", "whose", "is_shared")
    list_select_related = ("owner",)
    ordering = ("name", "id")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SavedView]:
        rows = super().get_queryset(request)
        return cast(Any, rows).for_user(request.user)  # type: ignore[no-any-return]

    def get_urls(self) -> list[Any]:
        save = self.admin_site.admin_view(self.save)
        return [path("save/", save, name="desk_savedview_save"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # one saves the list that one is looking at

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_change(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "shared"] if request.user.has_perm(SHARE) else ["name"]

    @display(description=gettext_lazy("list"))
    def of_list(self, obj: SavedView) -> str:
        from django.apps import apps

        return str(apps.get_model(obj.screen)._meta.verbose_name_plural).capitalize()

    @display(description=gettext_lazy("whose"))
    def whose(self, obj: SavedView) -> str:
        return obj.owner.get_username()

    @display(description=gettext_lazy("shared"), boolean=True)
    def is_shared(self, obj: SavedView) -> bool:
        return obj.shared

    def write(
        self,
        request: HttpRequest,
        obj: SavedView | None,
        form: ServiceForm,
        formsets: list[ServiceFormSet],
    ) -> SavedView:
        assert obj is not None
        return services.change(view=obj, **form.changed_values())

    def erase(self, request: HttpRequest, obj: SavedView) -> None:
        services.remove(view=obj)

    def save(self, request: HttpRequest) -> HttpResponse:
        """What the bar above a list posts: `screen` and `query` with a `name` for a new view, or
        with `pk` to keep the query in a view that is there. Back to the list, in the view."""
        organisation = organisation_of(request)
        if request.method != "POST" or organisation is None:
            raise Http404
        if not request.user.has_perm("desk.add_savedview"):
            raise PermissionDenied
        told = request.POST
        query = told.get("query", "")
        screen = self._screen(request, told.get("screen", ""))
        back = f"{list_of(screen)}?{query}"
        try:
            if "pk" in told:
                view = self.existing(request, told["pk"])
                if view.screen != screen:
                    raise Http404
                if not self.has_change_permission(request, view):
                    raise PermissionDenied
                view = services.change(view=view, query=query)
                messages.success(request, _("%(view)s is saved.") % {"view": view})
            else:
                view = services.save(
                    organisation=organisation,
                    owner=cast(User, request.user),
                    screen=screen,
                    name=told.get("name", ""),
                    query=query,
                    shared="shared" in told and request.user.has_perm(SHARE),
                )
                messages.success(request, _("%(view)s is a view of its own now.") % {"view": view})
        except ValidationError as error:
            for line in error.messages:
                messages.error(request, line)
            return HttpResponseRedirect(back)
        return HttpResponseRedirect(address_of(view))

    def _screen(self, request: HttpRequest, name: str) -> str:
        """The name of a list that this member of staff may see, checked."""
        for model, screen in self.admin_site._registry.items():
            if model._meta.label_lower == name:
                if not screen.has_view_permission(request):
                    raise PermissionDenied
                return name
        raise Http404


def _may_change(request: HttpRequest, view: Any) -> bool:
    """One's own, and what is shared, by whoever may share."""
    if not isinstance(view, SavedView):
        return True
    return view.owner_id == request.user.pk or (view.shared and request.user.has_perm(SHARE))
