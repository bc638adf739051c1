"""The API's description in OpenAPI 3.1, made from the views: `GET /api/schema`.

drf-spectacular describes serializers; what all endpoints share (problem documents, headers, pages,
retries) is added here, as references to the components below.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema

from crm.api.openapi import LIMITS, PROBLEMS, header
from crm.api.serializers import CamelCase
from crm.api.views import WITH_BODY, ApiView
from crm.api.viewsets import OrganisationViewSet

BATCH_ANSWER = {200: {"$ref": "#/components/schemas/BatchAnswer"}}
"""For `@extend_schema(responses=BATCH_ANSWER)` on a batch action."""


class ApiSchema(AutoSchema):
    """Describes one operation of an `ApiView`."""

    def get_description(self) -> str:  # type: ignore[override]  # DRF's own takes a path
        """The docstring of the method where it has one of its own, else the view's own."""
        view = type(self.view)
        name = getattr(self.view, "action", None) or self.method.lower()
        for owner in view.__mro__:
            if name in vars(owner):
                own = owner not in {OrganisationViewSet, ApiView} and vars(owner)[name].__doc__
                if own:
                    return cleandoc(own)
                break
        return cleandoc(view.__doc__ or "") if "__doc__" in vars(view) else ""

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super()._get_parameters()
        if not isinstance(self.view, ApiView):
            return parameters
        there = {(p.get("name"), p.get("in")) for p in parameters}
        parameters += (
            {"in": "query", **_plain(known)}
            for known in self.view.known_parameters()
            if (known["name"], "query") not in there
        )
        headers = []
        if self.method == "POST":
            headers.append("IdempotencyKey")
        if self._is_single() and self.method in {"PATCH", "DELETE", "PUT"}:
            headers.append("IfMatch")
        if self.method == "GET" and self._has_etag():
            headers.append("IfNoneMatch")
        return [*parameters, *({"$ref": f"#/components/parameters/{name}"} for name in headers)]

    def _get_filter_parameters(self) -> list[dict[str, Any]]:
        return []

    def _is_single(self) -> bool:
        """Whether the operation reads or writes a row through `OrganisationViewSet.unchanged`."""
        return isinstance(self.view, OrganisationViewSet) and self.view.action in {
            "retrieve",
            "partial_update",
            "update",
            "destroy",
        }

    def _has_etag(self) -> bool:
        return isinstance(self.view, ApiView) and self.view.with_etag and not self._is_list_view()

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if not isinstance(self.view, ApiView):
            return bodies
        if isinstance(self.view, OrganisationViewSet) and self.view.action == "create":
            # A row that was there already is answered with 200.
            bodies.setdefault("200", dict(bodies.get("201", {"description": ""})))
        for status, body in bodies.items():
            if status.startswith("2"):
                body["headers"] = {**self._headers(status), **body.get("headers", {})}
        if self.method == "GET" and self._has_etag():
            bodies["304"] = {"description": "It is still what you have."}
        for status in self._problems():
            bodies.setdefault(status, {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"})
        return dict(sorted(bodies.items()))

    def _headers(self, status: str) -> dict[str, Any]:
        names = [*LIMITS]
        if status != "204" and self._has_etag():
            names.append("ETag")
        if self.method == "POST":
            names.append("Idempotent-Replayed")
            if status == "201" or getattr(self.view, "action", "") == "create":
                names.append("Location")
        if self.method == "GET" and self._is_list_view():
            names += ["Link", "X-Total-Count"]
        return {name: header(name) for name in names}

    def _problems(self) -> list[str]:
        statuses = ["400", "401", "403", "429", "503"]
        if "{" in self.path:
            statuses.append("404")
        if self.method in WITH_BODY:
            statuses += ["413", "415", "422"]
        if self.method not in {"GET", "HEAD"}:
            statuses.append("409")
        if self._is_single() and self.method != "GET":
            statuses.append("412")
        return statuses

    def _postprocess_serializer_schema(
        self, schema: dict[str, Any], serializer: Any, direction: str
    ) -> Any:
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)  # type: ignore[no-untyped-call]
        for told in schema.get("properties", {}).values():
            if isinstance(told.get("type"), list):  # `null` said by the field and by its schema
                told["type"] = list(dict.fromkeys(told["type"]))
        if isinstance(serializer, CamelCase):
            if direction == "request":
                schema["additionalProperties"] = False
            elif schema.get("properties"):
                schema["required"] = sorted(schema["properties"])  # null, never left out
            if not vars(type(serializer)).get("__doc__"):
                schema.pop("description", None)  # a base class's, which is not about this
        return schema


def _plain(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Without lazy texts: what is described once is described in one language."""
    return {
        name: str(value) if name == "description" else value for name, value in parameter.items()
    }


class _ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.api.authentication.ApiKeyAuthentication"
    name = "apiKey"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "A key of your organisation, with the scopes that it needs.",
        }


class _StaffScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.api.authentication.StaffAuthentication"
    name = "staff"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Staff signed in to the admin, on the docs page.",
        }


class _ReferenceScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.api.serializers.ReferenceField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        number = {"type": "integer", "format": "int64"}
        if direction == "response":
            return number
        resource = self.target.resource
        return {
            "anyOf": [number, {"type": "string"}],
            "description": f"An id, or its address such as `/api/{resource}/1042`.",
        }
