"""Which rows to export, said as the API's query parameters."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict

from contacts.parts import ContactPart
from crm.api.errors import BadQuery, violations
from crm.api.filters import FilterSet
from imports.files.source import Unusable
from organisations.models import Organisation

Rows = TypeVar("Rows", bound=QuerySet[Any])


def read_filters(given: Sequence[str]) -> QueryDict:
    """The `--filter "name=value"` options as query parameters. Raises Unusable."""
    parameters = QueryDict(mutable=True)
    for option in given:
        name, sign, value = option.partition("=")
        if not sign or not name.strip():
            raise Unusable(f'--filter "{option}" has no "=": write it as in the API, name=value.')
        parameters.appendlist(name.strip(), value)
    return parameters


def narrowed(
    rows: Rows,
    organisation: Organisation,
    parameters: QueryDict,
    *,
    filterset: type[FilterSet],
    parts: Sequence[ContactPart] = (),
) -> Rows:
    """The rows that fit, by the very filters of the API's list. Raises Unusable that names the
    parameter which is not known or cannot be read."""
    for name in parameters:
        if not (filterset.claims(name) or any(part.claims(name) for part in parts)):
            known = [
                *filterset.base_filters,
                *(p["name"] for one in parts for p in one.parameters()),
            ]
            raise Unusable(f'--filter: there is no "{name}"; there are {", ".join(known)}.')
    asked = cast(Any, SimpleNamespace(organisation=organisation))
    try:
        found = cast(Any, filterset(parameters, rows, request=asked).qs)
        for part in parts:
            claimed = {n: values for n, values in parameters.lists() if part.claims(n)}
            if claimed:
                found = part.narrow(found, organisation, claimed)
    except BadQuery as error:
        raise _unusable(error) from None
    except ValidationError as error:
        raise _unusable(BadQuery.of(violations(error))) from None
    return cast(Rows, found)


def _unusable(error: BadQuery) -> Unusable:
    told = "; ".join(f"{one['propertyPath']}: {one['message']}" for one in error.violations)
    return Unusable(f"--filter {told}")
