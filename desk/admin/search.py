"""The answers of the palette that every page of the admin opens with / or Ctrl-K."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from crm.admin import site
from desk.search import answering
from organisations.middleware import organisation_of


@never_cache
@require_GET
def find(request: HttpRequest) -> HttpResponse:
    """What `q` may mean; without it, what the keys in `recent` were."""
    organisation = organisation_of(request)
    if organisation is None:
        raise Http404
    if "q" in request.GET:
        groups = answering.answer(request, organisation, request.GET["q"])
    else:
        keys = request.GET.get("recent", "").split(",")
        groups = answering.recall(request, organisation, keys)
    return JsonResponse({"groups": answering.as_json(groups)})


def stylesheet(request: HttpRequest) -> str:
    return static("regulars/search.css")


def script(request: HttpRequest) -> str:
    return static("regulars/search.js")


site.PAGES.append(lambda here: [path("find/", here.admin_view(find), name="find")])
