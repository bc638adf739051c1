"""The API's description and the page to try it out: `GET /api/schema`, `GET /api/docs`."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView

from crm.api import json
from crm.api.errors import problem


@lru_cache(maxsize=1)
def described() -> bytes:
    """The whole description. It changes with the code alone, so it is made once a process."""
    return json.dumps(cast(Any, SchemaGenerator)().get_schema(request=None, public=True))


def schema(request: HttpRequest) -> HttpResponse:
    """`GET /api/schema`, open to all: it tells nothing that the source does not."""
    if request.method not in {"GET", "HEAD"}:
        return problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            _("This method is not allowed here."),
            instance=request.path,
            headers={"Allow": "GET, HEAD"},
        )
    return HttpResponse(described(), content_type="application/json")


class DocsView(SpectacularSwaggerSplitView):
    """`GET /api/docs`: Swagger's page, from our own host, in two parts so that the content security
    policy needs no exception. Anyone may read it; trying it out takes a key, or a session."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    url_name = "schema"
