"""Exact decimals on both databases."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    _Decimal = models.DecimalField[Any, Any]
else:
    _Decimal = models.DecimalField  # generic in the stubs only


class ExactDecimalField(_Decimal):
    """A decimal that comes back as it went in, on SQLite too.

    SQLite has no decimals: it would keep a float, with 15 good digits of these 25. There the
    number is a text of fixed width, the number above the smallest possible one, so that texts sort
    and compare as the numbers do. `4.5` is `10000000000000045000000000`.
    """

    max_digits: int
    decimal_places: int

    def get_internal_type(self) -> str:
        """A name of its own, so that SQLite's converters for decimals stay away."""
        return "ExactDecimalField"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        if connection.vendor == "sqlite":
            return f"char({self.max_digits + 1})"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        if not prepared:
            value = self.get_prep_value(value)
        if not isinstance(value, Decimal):
            return value
        places = value.quantize(Decimal(1).scaleb(-self.decimal_places), context=self.context)
        if connection.vendor != "sqlite":
            return places
        raised = int(places.scaleb(self.decimal_places, self.context)) + 10**self.max_digits
        return str(raised).zfill(self.max_digits + 1)

    def from_db_value(
        self, value: Any, expression: object, connection: BaseDatabaseWrapper
    ) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        return Decimal(int(value) - 10**self.max_digits).scaleb(-self.decimal_places, self.context)
