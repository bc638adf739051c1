"""Every error of the API as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict

from django.core.exceptions import (
    NON_FIELD_ERRORS,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as ModelError
from django.core.signals import got_request_exception
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.settings import api_settings

from crm.api import json
from crm.api.names import camel_path
from crm.api.openapi import PROBLEM
from crm.errors import Conflict

logger = logging.getLogger("crm.api")


class Violation(TypedDict):
    """What is wrong with one value: where, in words, and as a word for programs."""

    propertyPath: str
    message: str
    code: str


class BadQuery(exceptions.APIException):
    """A query parameter that cannot be used: 400 that names it."""

    status_code = HTTPStatus.BAD_REQUEST
    default_code = "bad_query"

    def __init__(self, parameter: str, message: str, code: str = "invalid") -> None:
        super().__init__(f"{parameter}: {message}")
        self.violations = [Violation(propertyPath=parameter, message=message, code=code)]

    @classmethod
    def of(cls, found: Sequence[Violation]) -> BadQuery:
        """From what is wrong with several parameters."""
        first = found[0]
        error = cls(first["propertyPath"], first["message"], first["code"])
        error.violations = list(found)
        return error


class PreconditionFailed(exceptions.APIException):
    """The row has changed since the client read it (`If-Match`): 412."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "precondition_failed"

    def __init__(self) -> None:
        super().__init__(_("This has changed since you read it; read it again and retry."))


class Unprocessable(exceptions.APIException):
    """422 for a request that is well formed and cannot be done, without a value to blame."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "unprocessable"


def problem(
    status: int,
    detail: str,
    *,
    instance: str,
    violations: Sequence[Violation] | None = None,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """A problem document. `members` are those of ours, such as `ids`."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "instance": instance,
    }
    if violations is not None:
        body["violations"] = list(violations)
    body.update(members)
    response = HttpResponse(
        json.dumps(body), status=status, content_type=PROBLEM, headers=dict(headers or {})
    )
    # Django would log a line for each, which clients could flood the log with; ours are logged
    # where they are made.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def violations(error: ModelError | exceptions.ValidationError) -> list[Violation]:
    """What a ValidationError, Django's or DRF's, says, with paths as the client spells them."""
    if isinstance(error, ModelError):
        return list(_of_model(error))
    return list(_of_detail(error.detail, ""))


def _of_model(error: ModelError) -> Iterator[Violation]:
    by_field = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
    for name, errors in by_field.items():
        path = "" if name == NON_FIELD_ERRORS else camel_path(name)
        for one in errors:
            for message in one.messages:
                yield Violation(propertyPath=path, message=message, code=one.code or "invalid")


def _of_detail(detail: Any, path: str) -> Iterator[Violation]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            # A list's errors may come as {index: errors}.
            if isinstance(name, int):
                yield from _of_detail(inner, f"{path}[{name}]")
                continue
            # The client's own spelling: serializers speak JSON's names.
            below = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            yield from _of_detail(inner, f"{path}.{below}" if path and below else path or below)
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _of_detail(inner, f"{path}[{index}]" if nested else path)
    else:
        yield Violation(
            propertyPath=path, message=str(detail), code=getattr(detail, "code", "invalid")
        )


def problem_handler(  # noqa: PLR0912  one line for each kind of error
    error: Exception, context: Mapping[str, Any]
) -> HttpResponse:
    """The answer to an exception that a view raised. Never raises; an error that is ours is logged,
    and its answer tells nothing of it."""
    request: Request = context["request"]
    path = request.path
    match error:
        case ModelError() | exceptions.ValidationError():
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                _("Some values cannot be taken; see violations."),
                instance=path,
                violations=violations(error),
            )
        case Conflict():
            return problem(HTTPStatus.CONFLICT, error.detail, instance=path, ids=error.ids)
        case BadQuery():
            return problem(
                error.status_code,
                str(error.detail),
                instance=path,
                violations=error.violations,
            )
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return problem(
                HTTPStatus.UNAUTHORIZED,
                str(error.detail),
                instance=path,
                headers={"WWW-Authenticate": 'ApiKey realm="api", header="x-api-key"'},
            )
        case exceptions.Throttled():
            wait = str(int(getattr(error, "wait", None) or 1))
            return problem(
                error.status_code,
                _("Too many requests; wait a little."),
                instance=path,
                headers={"Retry-After": wait},
            )
        case exceptions.MethodNotAllowed():
            allowed = ", ".join(context["view"].allowed_methods)
            return problem(
                error.status_code, str(error.detail), instance=path, headers={"Allow": allowed}
            )
        case exceptions.APIException():
            headers = dict(getattr(error, "headers", {}))
            return problem(error.status_code, str(error.detail), instance=path, headers=headers)
        case Http404():
            return not_found(path)
        case PermissionDenied():
            return problem(
                HTTPStatus.FORBIDDEN, str(error) or _("This is not allowed."), instance=path
            )
        case RequestDataTooBig():
            return too_large(path)
        case SuspiciousOperation() | UnreadablePostError():
            return problem(HTTPStatus.BAD_REQUEST, _("The request cannot be read."), instance=path)
        case OperationalError() | InterfaceError():
            logger.warning("The database did not answer in time: %s", error)
            return problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                _("The database is busy; try again."),
                instance=path,
                headers={"Retry-After": "1"},
            )
        case DataError() | OverflowError():
            # A value that no check of ours refused and the database did. The client is told that
            # a value is at fault, the log that a check is missing.
            logger.error("A value was refused by the database only", exc_info=error)
            status = 400 if request.method in {"GET", "HEAD"} else 422
            return problem(status, _("A value is out of range."), instance=path, violations=[])
    return unexpected(error, request)


def not_found(path: str) -> HttpResponse:
    """404, whatever was looked for: another organisation's row is told no differently."""
    return problem(HTTPStatus.NOT_FOUND, _("There is nothing at this address."), instance=path)


def too_large(path: str) -> HttpResponse:
    """413."""
    return problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _("The body is larger than 5 MB."), instance=path
    )


def unexpected(error: Exception, request: Any) -> HttpResponse:
    """500 that tells nothing; the log and whoever listens to Django's signal get all of it."""
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    got_request_exception.send(sender=None, request=request)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        _("Something went wrong on our side. It has been logged."),
        instance=request.path,
    )
