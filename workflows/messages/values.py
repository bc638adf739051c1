"""The values that templates are rendered with; `messages.variables` has their names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from crm.api.json import dumps
from organisations.models import Organisation


def plain(
    values: Mapping[str, Any],
    *,
    organisation: Organisation,
    locale: str,
    now: datetime,
    zone: str,
    unsubscribe_url: str = "",
) -> dict[str, Any]:
    """`Moment.template_values()` as JSON tells them, texts for times, and with what only messages
    need: the locale, the contact's clock and the link to unsubscribe."""
    told: dict[str, Any] = json.loads(dumps(values))
    local = now.astimezone(ZoneInfo(zone))
    told["organisation"] = {
        **(told.get("organisation") or {}),
        "timezone": organisation.timezone,
        "currencyCode": organisation.currency_code,
        "locale": locale,
    }
    told["now"] = local.isoformat(timespec="seconds")
    told["today"] = local.date().isoformat()
    told["unsubscribeUrl"] = unsubscribe_url
    return told
