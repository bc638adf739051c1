"""Addresses of viewsets, without a trailing slash, with ids that fit the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls.converters import IntConverter, register_converter
from rest_framework.routers import SimpleRouter

BIGGEST_ID = 2**63 - 1


class IdConverter(IntConverter):
    """`<id:pk>`: a number that can be a row's id; a larger one is no address (404)."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > BIGGEST_ID:
            raise ValueError(value)
        return number


register_converter(IdConverter, "id")


class Router(SimpleRouter):
    """`Router().register("contacts", ContactViewSet)`; `urlpatterns = router.urls`.

    A viewset that names no service for a write has no route for it: 405.
    """

    def __init__(self) -> None:
        super().__init__(trailing_slash=False, use_regex_path=False)

    def get_method_map(self, viewset: Any, method_map: Mapping[str, str]) -> dict[str, str]:
        bound = super().get_method_map(viewset, method_map)
        offers = getattr(viewset, "offers", None)
        return {
            method: action for method, action in bound.items() if offers is None or offers(action)
        }
