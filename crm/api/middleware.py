"""What must hold under /api/ whatever happens: no redirects, no HTML, no endless bodies."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import Any, cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from crm import actors
from crm.api.errors import not_found, problem, too_large, unexpected
from crm.api.openapi import PROBLEM

PREFIX = "/api/"
# The pages that people open in a browser.
PAGES = frozenset({"/api/docs", "/api/docs/"})


_PIECE = 64 * 1024
_MOST_DRAINED = 10
"""How many times the largest body is read to be thrown away."""


class ApiMiddleware:
    """Outermost but for what concerns the connection.

    `/api/x/` is answered as `/api/x`. A body over `DATA_UPLOAD_MAX_MEMORY_SIZE` is 413. What Django
    or another middleware would answer in HTML becomes a problem document.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(PREFIX):
            if path != "/api":
                return self.get_response(request)
            return not_found(request.path)
        if len(path) > len(PREFIX) and path.endswith("/"):
            # One slash: `/api/contacts//` is no address.
            request.path_info = path[:-1]
            request.path = request.path[:-1]
        if "\0" in path:
            return not_found(request.path)
        if not self._fits(request):
            self._drain(request)
            return too_large(request.path)
        # Whose key it is, the view finds out; the thread goes on to other people's requests.
        with actors.acting(actors.SYSTEM):
            response = self.get_response(request)
        if path in PAGES or response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return response
        return self._as_problem(request, response)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """An exception of a view that is not an ApiView, or of one before it got to work."""
        if request.path_info.startswith(PREFIX) and request.path_info not in PAGES:
            if isinstance(error, Http404):
                return not_found(request.path)
            return unexpected(error, request)
        return None

    @staticmethod
    def _fits(request: HttpRequest) -> bool:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        given = request.META.get("CONTENT_LENGTH") or ""
        if given.isascii() and given.isdecimal():
            return len(given) < 16 and int(given) <= limit
        if "chunked" not in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            return True
        # Chunked: Django reads no further than Content-Length says, so what came is put in place
        # of its stream.
        stream = cast(Any, request.META.get("wsgi.input"))
        body = stream.read(limit + 1) if stream is not None else b""
        if len(body) > limit:
            return False
        request.META["CONTENT_LENGTH"] = str(len(body))
        cast(Any, request)._stream = BytesIO(body)
        return True

    @staticmethod
    def _drain(request: HttpRequest) -> None:
        """Throw the rest of a body away, within reason: most clients send all of it before they
        read, and a connection that is closed meanwhile is all they would see of the answer."""
        stream = cast(Any, request.META.get("wsgi.input"))
        left = _MOST_DRAINED * settings.DATA_UPLOAD_MAX_MEMORY_SIZE if stream is not None else 0
        given = request.META.get("CONTENT_LENGTH") or ""
        if given.isascii() and given.isdecimal():
            left = min(left, int(given[:16]))
        while left > 0:
            got = len(stream.read(min(_PIECE, left)))
            left = left - got if got else 0

    @staticmethod
    def _as_problem(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        told = response.headers.get("Content-Type", "")
        if response.status_code < HTTPStatus.BAD_REQUEST or told.startswith(
            (PROBLEM, "application/json")
        ):
            return response
        if response.status_code == HTTPStatus.NOT_FOUND:
            return not_found(request.path)
        details = {
            HTTPStatus.BAD_REQUEST: _("The request cannot be read."),
            HTTPStatus.FORBIDDEN: _("This is not allowed."),
            HTTPStatus.METHOD_NOT_ALLOWED: _("This method is not allowed here."),
        }
        status = HTTPStatus(response.status_code)
        kept = {
            name: value
            for name, value in response.headers.items()
            if name in {"Allow", "Retry-After"}
        }
        detail = details.get(status, _("Something went wrong on our side. It has been logged."))
        return problem(status, detail, instance=request.path, headers=kept)
