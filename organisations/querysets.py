"""Reads that cannot forget whose rows they read.

Every tenant-owned model reads through `TenantQuerySet`. A query that names no organisation raises
`ScopeMissing` when it is run: a forgotten scope fails, it does not leak
(docs/decisions/0001-reads-fail-closed.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models
from django.db.models.sql.where import AND

if TYPE_CHECKING:
    from organisations.models import Organisation

Row = TypeVar("Row", bound=models.Model, covariant=True)


class ScopeMissing(Exception):
    """A tenant-owned table was read without saying for which organisation."""


class TenantQuerySet(models.QuerySet[Row]):
    """A queryset that runs only when scoped to an organisation.

    Scoped means one of: it filters on `organisation` (`for_organisation`, or Django's own
    uniqueness checks), it hangs on a row that was read already (`contact.activities`), or it says
    `across_organisations()` out loud.
    """

    _crosses_organisations = False
    is_scattered = False

    def scattered(self) -> Self:
        """The same rows, said to be what a condition left that their list's order does not serve:
        they may stand anywhere in it (`crm.api.pagination` looks for a page of them so)."""
        clone: Self = self._chain()  # type: ignore[attr-defined]
        clone.is_scattered = True
        return clone

    def for_organisation(self, organisation: Organisation | int) -> Self:
        """Only this organisation's rows."""
        return self.filter(organisation=organisation)

    def for_organisations(self, organisations: models.QuerySet[Organisation]) -> Self:
        """The rows of any of these, such as all that a member of staff belongs to."""
        return self.filter(organisation__in=organisations)

    def across_organisations(self) -> Self:
        """Every organisation's rows: for subqueries, for superusers and for housekeeping."""
        clone: Self = self._chain()  # type: ignore[attr-defined]
        clone._crosses_organisations = True
        return clone

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._crosses_organisations = self._crosses_organisations
        clone.is_scattered = self.is_scattered
        return clone

    def _names_an_organisation(self) -> bool:
        where = self.query.where
        if where.connector != AND:
            return False
        columns = (getattr(getattr(c, "lhs", None), "target", None) for c in where.children)
        return any(column is not None and column.name == "organisation" for column in columns)

    def _require_scope(self) -> None:
        if self._crosses_organisations or self.query.is_empty():
            return
        if self._hints.get("instance") is not None or self._names_an_organisation():  # type: ignore[attr-defined]
            return
        raise ScopeMissing(
            f"{self.model.__name__} was read without an organisation: "
            "start from .for_organisation(organisation)."
        )

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._require_scope()
        super()._fetch_all()

    def iterator(self, *args: Any, **kwargs: Any) -> Iterator[Row]:
        self._require_scope()
        return super().iterator(*args, **kwargs)

    def count(self) -> int:
        self._require_scope()
        return super().count()

    def exists(self) -> bool:
        self._require_scope()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._require_scope()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        self._require_scope()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        self._require_scope()
        return super().delete()
