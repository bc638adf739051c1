"""Receiving a file without keeping more of it than is allowed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

_ROOM = 100_000
"""Bytes that the other fields of the form may take."""


class Quota(FileUploadHandler):
    """Stands before the handlers that store what comes, and reads a file that is too large to its
    end without storing it: a browser whose connection is cut shows no reason."""

    is_exceeded = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  # Django's name
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > settings.IMPORTS_MAX_MB * 1_000_000 + _ROOM:
            self.is_exceeded = True

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.is_exceeded:
            raise StopUpload(connection_reset=False)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


def guard(request: HttpRequest) -> Quota:
    """Have the request's files checked. To be called before anything of its body is read."""
    quota = Quota(request)
    request.upload_handlers.insert(0, quota)
    return quota
