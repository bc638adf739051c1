"""Whose address a request comes from when reverse proxies stand in front."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


def client_address(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Middleware: take `REMOTE_ADDR` from `X-Forwarded-For`, believing as many of its last entries
    as there are `PROXIES`.

    Each proxy appends the address that it was called from, so the entry that the outermost of ours
    wrote is that many from the end; what stands before it, the caller may have made up. The login
    throttle counts by this address.
    """
    proxies: int = settings.PROXIES

    def middleware(request: HttpRequest) -> HttpResponse:
        if proxies:
            hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
            if len(hops) >= proxies and (address := hops[-proxies].strip()):
                request.META["REMOTE_ADDR"] = address
        return get_response(request)

    return middleware
