"""JSON in and out, by orjson."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


def moment(value: datetime.datetime) -> str:
    """A time as the API tells it: UTC, to the second, `2026-04-07T14:30:00+00:00`."""
    return value.astimezone(datetime.UTC).isoformat(timespec="seconds")


def _plain(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return moment(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def dumps(value: Any) -> bytes:
    """JSON as the API speaks it. Datetimes, dates, decimals and lazy texts are taken too."""
    return orjson.dumps(value, _plain, _OPTIONS)


def loads(body: bytes) -> Any:
    """What a body says.

    Raises ParseError (400) when it is not JSON in UTF-8 or nested too deeply, and DRF's
    ValidationError (422) for a NUL character, which PostgreSQL cannot keep.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ParseError(
            _("The body is not valid JSON: %(reason)s.") % {"reason": str(error)[:200]}
        ) from None
    if body.count(b"[") + body.count(b"{") > 200:
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            raise ParseError(_("The body is nested too deeply.")) from None
    if b"\\u0000" in body:
        _refuse_nul(value, "")
    return value


def _refuse_nul(value: Any, path: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise serializers.ValidationError(
                {path: _("The character NUL is not allowed.")}, code="null_character"
            )
    elif isinstance(value, dict):
        for key, inner in value.items():
            if "\0" in key:
                _refuse_nul(key, path)
            _refuse_nul(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{path}[{index}]")


class JSONParser(BaseParser):
    """Reads `application/json`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        return loads(stream.read())


class JSONRenderer(BaseRenderer):
    """Writes `application/json`."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else dumps(data)
