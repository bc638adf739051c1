"""What every endpoint does alike: who asks, may they, how often, in which words, and the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api import idempotency, json, limits, permissions
from crm.api.errors import BadQuery, problem_handler
from crm.api.json import JSONParser, JSONRenderer

if TYPE_CHECKING:
    from organisations.models import ApiKey, Organisation

WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
TRUE, FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


class AlwaysJson(BaseContentNegotiation):
    """JSON, whatever the client says that it accepts: there is nothing else."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        if media_type != "application/json" and not (
            media_type.startswith("application/") and media_type.endswith("+json")
        ):
            raise UnsupportedMediaType(media_type or "(none)")
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], JSONRenderer.media_type


def etag(body: bytes) -> str:
    """The `ETag` of an answer: a hash of its bytes."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def matches(wanted: str, tag: str) -> bool:
    """Whether an `If-Match` header fits: one of its strong tags, or `*` (RFC 9110, 13.1.1)."""
    return wanted.strip() == "*" or tag in {one.strip() for one in wanted.split(",")}


class ApiView(APIView):
    """An endpoint of the API. Everything under /api/ derives from it.

    Subclasses say `scope` (one of `crm.api.scopes.RESOURCES`) and define `get`, `post`, …; within
    them `self.organisation` is whose rows may be touched. Query parameters are refused with 400
    unless `parameters` names them for the action (a viewset's action name; else the method in small
    letters), as OpenAPI parameter objects without `in`. The body of POST, PUT and PATCH has been
    parsed when the method runs, and is in `request.data`.

    Answers are DRF's `Response` (data that `crm.api.json.dumps` takes) or any HttpResponse.
    """

    scope: ClassVar[str]
    parameters: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]] = {}
    # What a member of staff must be permitted, by action, where Django's four do not fit.
    staff_permission: ClassVar[Mapping[str, Sequence[str]]] = {}
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    parser_classes = [JSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    metadata_class = None
    format_kwarg = None
    # Single resources carry an ETag; lists change too often for one to be of use.
    with_etag = True

    request: Request

    @property
    def organisation(self) -> Organisation:
        """Whose rows this request may see and change."""
        return cast("Organisation", cast(Any, self.request).organisation)

    @property
    def key(self) -> ApiKey | None:
        """The API key that asks; None for staff on the docs page."""
        return cast("ApiKey | None", self.request.auth)

    @property
    def action_name(self) -> str:
        """A viewset's action; else the method in small letters."""
        return getattr(self, "action", None) or (self.request.method or "").lower()

    def staff_permissions(self, method: str) -> Sequence[str]:
        """What a member of staff must be permitted for this method."""
        named = self.staff_permission.get(self.action_name)
        if named is not None:
            return named
        model = self.staff_model()
        return permissions.of_model(model[0], model[1], method) if model else ()

    def staff_model(self) -> tuple[str, str] | None:
        """App label and name of the model whose permissions count; None for none."""
        return None

    def known_parameters(self) -> Sequence[Mapping[str, Any]]:
        """The query parameters that this action takes, as OpenAPI parameter objects."""
        return self.parameters.get(self.action_name, ())

    def reads_parameter(self, name: str) -> bool:
        """Whether `known_parameters` has this one; asked for each that was sent."""
        return any(parameter["name"] == name for parameter in self.known_parameters())

    def claims_parameter(self, name: str) -> bool:
        """Whether a parameter that is not in `known_parameters` is read all the same, such as
        `customField[NAME][gte]`."""
        return False

    def parameter(self, name: str, default: Any = None) -> Any:
        """The value of a declared query parameter, checked against its schema's `enum` or
        `type: boolean`; `default` when it is not there. Raises BadQuery."""
        given = self.request.query_params.get(name)
        if given is None:
            return default
        schema = next(p["schema"] for p in self.known_parameters() if p["name"] == name)
        if schema.get("type") == "boolean":
            if given.lower() not in TRUE | FALSE:
                raise BadQuery(name, _("Use true or false."))
            return given.lower() in TRUE
        choices = schema.get("enum")
        if choices and given not in choices:
            raise BadQuery(name, _("Use one of: %s.") % ", ".join(choices))
        return given

    def body(self, *keys: str) -> dict[str, Any]:
        """The body of an action without a serializer: an object with none but these keys.

        Raises ValidationError (422) for others.
        """
        data = self.request.data
        if not isinstance(data, dict):
            raise serializers.ValidationError(_("The body must be a JSON object."), "not_an_object")
        unknown = [key for key in data if key not in keys]
        if unknown:
            raise serializers.ValidationError(
                {
                    key: [serializers.ErrorDetail(_("There is no such key."), "unknown_field")]
                    for key in unknown
                }
            )
        return data

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method in WITH_BODY:
            # Kept whole, for the fingerprint of an Idempotency-Key; at most 5 MB by now.
            _read = request._request.body
        self.perform_authentication(request)
        if self.key is not None:
            limits.check(self, self.key)
        method = (request.method or "").lower()
        if method not in self.http_method_names or not hasattr(self, method):
            self.http_method_not_allowed(request)
        permissions.check(self, request)
        self.check_parameters()
        if request.method in WITH_BODY:
            _parsed = request.data

    def check_parameters(self) -> None:
        """Refuse what this action does not read, and what no database could."""
        given = self.request.query_params
        if not given:
            return
        for name, values in given.lists():
            if not (self.reads_parameter(name) or self.claims_parameter(name)):
                raise BadQuery(name, _("There is no such parameter here."), "unknown_parameter")
            if any("\0" in value for value in values):
                raise BadQuery(name, _("The character NUL is not allowed."), "null_character")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.headers: dict[str, str] = {}
        self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(self.request, *args, **kwargs)
            if request.method == "POST" and idempotency.HEADER in request.META:
                response = idempotency.once(self)
            else:
                response = self.answer()
        except Exception as error:  # every one has its problem document
            response = self.handle_exception(error)
        for name, value in self.headers.items():
            response.headers.setdefault(name, value)
        patch_vary_headers(response, ["x-api-key", "Cookie"])
        return response

    def answer(self) -> HttpResponse:
        """Run the method, and put what it says into bytes. Raises what the method raises."""
        handler = getattr(self, (self.request.method or "").lower())
        return self.told(handler(self.request, *self.args, **self.kwargs))

    def told(self, response: HttpResponseBase) -> HttpResponse:
        """A view's answer in bytes, with its ETag, or 304 when the client has it already."""
        if not isinstance(response, Response):
            return cast(HttpResponse, response)
        body = b"" if response.data is None else json.dumps(response.data)
        told = HttpResponse(body, status=response.status_code, headers=dict(response.headers))
        if response.data is None:
            del told.headers["Content-Type"]
            return told
        told.headers["Content-Type"] = JSONRenderer.media_type
        told.headers["Cache-Control"] = "private, no-cache"
        if isinstance(response.data, dict) and self.with_etag:
            told.headers["ETag"] = tag = etag(body)
            if self.request.method in {"GET", "HEAD"} and self._has(tag):
                told = HttpResponse(status=304, headers={"ETag": tag})
                del told.headers["Content-Type"]
        return told

    def _has(self, tag: str) -> bool:
        known = self.request.META.get("HTTP_IF_NONE_MATCH")
        if known is None:
            return False
        return known.strip() == "*" or tag in {
            one.strip().removeprefix("W/") for one in known.split(",")
        }

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        return problem_handler(exc, {"view": self, "request": self.request})
