"""Middleware that lets deliveries of other systems straight in.

They have no session, language, form or page. What serves those costs as much as storing a
delivery does, and deliveries come by the hundred in a second.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import translation

PREFIX = "/integrations/"


def door(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Call the view of an address below `/integrations/` past all middleware that comes after.

    In the language of the installation: what is stored of a delivery is for its staff.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return get_response(request)
        try:
            view, args, kwargs = resolve(request.path_info)
        except Resolver404:
            return get_response(request)
        request.get_host()  # raises for a host that is not ours
        with translation.override(settings.LANGUAGE_CODE):
            response: HttpResponse = view(request, *args, **kwargs)
        response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    return middleware
