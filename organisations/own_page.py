"""The page of one's own: how colleagues read one's name, and the language one reads."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from crm.admin.site import PAGES
from organisations import services
from organisations.models import languages, preferences_of


class OwnForm(forms.Form):
    """One's name and language."""

    first_name = forms.CharField(
        label=gettext_lazy("First name"),
        max_length=150,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "given-name"}),
    )
    last_name = forms.CharField(
        label=gettext_lazy("Last name"),
        max_length=150,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "family-name"}),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=[("", gettext_lazy("What the browser asks for")), *languages()],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=gettext_lazy("Dates, numbers and amounts are written as it writes them."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def own_page(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    now = {
        "first_name": user.first_name,
        "last_name": user.last_name,
        "language": preferences_of(user).language,
    }
    form = OwnForm(request.POST or None, initial=now)
    if form.is_valid():
        services.set_preferences(user=user, **form.cleaned_data)
        if form.cleaned_data["language"]:
            translation.activate(form.cleaned_data["language"])
        messages.success(request, _("Saved."))
        return HttpResponseRedirect(reverse("admin:own_page"))
    return TemplateResponse(
        request,
        "admin/organisations/own_page.html",
        {
            **admin.site.each_context(request),
            "title": _("Your name and language"),
            "form": form,
        },
    )


PAGES.append(lambda site: [path("me/", site.admin_view(own_page), name="own_page")])
