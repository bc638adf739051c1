"""`GET /healthz`: whether this process answers and reaches its database.

For load balancers and containers. It says nothing that a stranger may not know.
"""

from __future__ import annotations

import structlog
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

log = structlog.get_logger(__name__)


@never_cache
def health(_request: HttpRequest) -> JsonResponse:
    """200 `{"status": "ok"}`, or 503 when the database does not answer. One query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.error("database does not answer", error=str(error))
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})
