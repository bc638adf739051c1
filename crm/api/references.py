"""References to other rows: an id, or an IRI as older Glu clients send it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

BIGGEST_ID = 2**63 - 1


def parse_reference(value: Any, resource: str) -> int:
    """The id in `1042`, `"1042"`, `"/api/contacts/1042"`, `"/contacts/1042"` or a full address of
    `resource`. An id too large for any row is taken: it is not found, like others.

    Raises ValidationError when it is none of these.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isdecimal() and len(text) <= 19:
            return int(text)
        try:
            path = urlsplit(text).path
        except ValueError:
            path = ""
        # The seed's singular address, /contact/1042, names the same row.
        found = re.fullmatch(rf"(?:/api)?/{resource.removesuffix('s')}s?/([0-9]{{1,19}})/?", path)
        if found:
            return int(found[1])
    raise ValidationError(
        _("Use an id such as 1042, or its address such as /api/%(resource)s/1042."),
        code="invalid_reference",
        params={"resource": resource},
    )
