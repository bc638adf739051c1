"""The admin site: sign in, the organisation one works in, the first page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from csp.constants import UNSAFE_EVAL
from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from crm.admin.unfold import UnfoldAdminSite
from organisations.middleware import organisation_of, switch

# Adds its part to the first page: (request) → context. Apps register theirs in `ready`.
DASHBOARD: list[Callable[[HttpRequest], dict[str, Any]]] = []
# Pages that are no model's: (site) → addresses. Apps register theirs from their `admin` module.
PAGES: list[Callable[[RegularsAdminSite], list[URLPattern]]] = []


class RegularsAdminSite(UnfoldAdminSite):
    """Unfold's site, in one organisation at a time."""

    site_title = gettext_lazy("Regulars")
    site_header = gettext_lazy("Regulars")
    index_title = gettext_lazy("Home")
    enable_nav_sidebar = True

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        # Alpine, which Unfold is made with, evaluates the expressions in its attributes.
        return csp_update({"script-src": [UNSAFE_EVAL]})(super().admin_view(view, cacheable))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        view: Any = csp_update({"script-src": [UNSAFE_EVAL]})(super().login)
        return cast(HttpResponse, view(request, extra_context))

    def extra_urls(self) -> list[URLPattern]:
        """Unfold puts these before the models' own."""
        return [
            *(address for pages in PAGES for address in pages(self)),
            path("organisation/switch/", self.admin_view(self.switch), name="switch_organisation"),
            path(
                "password/<uidb64>/<token>/",
                csp_update({"script-src": [UNSAFE_EVAL]})(
                    PasswordResetConfirmView.as_view(
                        template_name="admin/set_password.html",
                        success_url=reverse_lazy("admin:login"),
                        extra_context={"site_header": self.site_header},
                    )
                ),
                name="set_password",
            ),
        ]

    def switch(self, request: HttpRequest) -> HttpResponse:
        """Go on in another organisation; the pages of the one before would not be found there."""
        return _switch(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        context["organisation"] = organisation_of(request)
        context["organisations"] = getattr(request, "organisations", [])
        return context

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        context: dict[str, Any] = {}
        if organisation_of(request) is not None:
            for part in DASHBOARD:
                context |= part(request)
        return super().index(request, {**context, **(extra_context or {})})


def stylesheet(request: HttpRequest) -> str:
    """What our own templates add to Unfold's styles."""
    return static("regulars/admin.css")


def script(request: HttpRequest) -> str:
    """What our own templates do without a reload."""
    return static("regulars/admin.js")


def favicon(request: HttpRequest) -> str:
    return static("regulars/favicon.svg")


@require_POST
def _switch(request: HttpRequest) -> HttpResponse:
    given = request.POST.get("organisation", "")
    organisation = switch(request, int(given)) if given.isdecimal() and len(given) < 19 else None
    if organisation is None:
        raise Http404
    messages.info(request, _("You are now working in %(name)s.") % {"name": organisation.name})
    return HttpResponseRedirect(reverse("admin:index"))
