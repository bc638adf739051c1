"""`GET /healthz`: whether this process answers and reaches its database.

Middleware, ahead of all other: load balancers and containers ask by address and without TLS, and
would be turned away for it. The answer says nothing that a stranger may not know.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

log = structlog.get_logger(__name__)

PATH = "/healthz"


def health(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: 200 `{"status": "ok"}`, or 503 when the database does not answer. One query."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path != PATH:
            return get_response(request)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError as error:
            log.error("database does not answer", error=str(error))
            return JsonResponse({"status": "the database does not answer"}, status=503)
        return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    return middleware
