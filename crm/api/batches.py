"""`POST …/batch`: many rows in one request, each answered by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, cast

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, ErrorDetail

from crm.api.errors import Violation, problem, violations
from crm.api.views import ApiView
from crm.batch import BatchResult
from crm.errors import Conflict

MOST_ROWS = 1000

PARAMETERS = (
    {
        "name": "atomic",
        "description": gettext_lazy("`true`: all rows or none; 422 when one cannot be taken."),
        "schema": {"type": "boolean", "default": False},
    },
)

Write = Callable[[Sequence[dict[str, Any]], bool], Sequence[BatchResult]]


def rows_of(view: ApiView, key: str, *other: str) -> list[Any]:
    """The rows in the body's `key`, 1 to 1,000 of them. `other` keys may stand beside it.

    Raises ValidationError (422).
    """
    rows = view.body(key, *other).get(key)
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ROWS:
        raise ValidationError(
            {key: [ErrorDetail(_("Give an array of 1 to 1,000 rows."), "invalid")]}
        )
    return rows


def run(
    view: ApiView,
    *,
    key: str,
    serializer: Callable[[Any], BaseSerializer[Any]],
    write: Write,
    rows: Sequence[Any] | None = None,
) -> Any:
    """Answer a batch: check each row with a serializer, write those that pass, tell of all.

    `write(values, atomic)` is the service: one result for each of `values`, whose `index` counts
    within `values`. `serializer(data)` makes the serializer of a row. With `?atomic=true` nothing
    is written when any row fails, and the answer is 422 with paths such as
    `contacts[3].emailAddress`.
    """
    given = rows_of(view, key) if rows is None else rows
    atomic = bool(view.parameter("atomic", False))
    results: list[dict[str, Any] | None] = [None] * len(given)
    values: list[dict[str, Any]] = []
    places: list[int] = []
    for index, data in enumerate(given):
        one = serializer(data)
        if one.is_valid():
            values.append(one.validated_data)
            places.append(index)
        else:
            results[index] = _refusal(index, violations(ValidationError(cast(Any, one.errors))))
    if not (atomic and len(values) < len(given)):
        for result in write(values, atomic) if values else ():
            index = places[result.index]
            results[index] = _told(index, result)
    failed = [result for result in results if result is not None and result["status"] >= 400]
    if atomic and failed:
        return _none_written(view, key, failed)
    return Response({"results": results})


def reused(serializer: BaseSerializer[Any]) -> Callable[[Any], BaseSerializer[Any]]:
    """One serializer for all rows: making its fields costs more than a row's checks."""

    def again(data: Any) -> BaseSerializer[Any]:
        serializer.initial_data = data
        for state in ("_validated_data", "_errors"):
            vars(serializer).pop(state, None)
        return serializer

    return again


def _told(index: int, result: BatchResult) -> dict[str, Any]:
    if result.error is None:
        status = HTTPStatus.CREATED if result.created else HTTPStatus.OK
        return {"index": index, "status": int(status), "id": result.id}
    if isinstance(result.error, Conflict):
        return {
            "index": index,
            "status": int(HTTPStatus.CONFLICT),
            "detail": result.error.detail,
            "ids": result.error.ids,
        }
    return _refusal(index, violations(result.error))


def _refusal(index: int, found: Sequence[Violation]) -> dict[str, Any]:
    return {
        "index": index,
        "status": int(HTTPStatus.UNPROCESSABLE_ENTITY),
        "violations": list(found),
    }


def _none_written(view: ApiView, key: str, failed: Sequence[dict[str, Any]]) -> Any:
    told: list[Any] = []
    for row in failed:
        place = f"{key}[{row['index']}]"
        conflict = Violation(propertyPath="", message=row.get("detail", ""), code="conflict")
        for one in row.get("violations", [conflict]):
            path = one["propertyPath"]
            told.append({**one, "propertyPath": f"{place}.{path}" if path else place})
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        _("Nothing was written: some rows cannot be taken; see violations."),
        instance=view.request.path,
        violations=told,
    )
