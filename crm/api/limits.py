"""How often a key may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm.api.views import ApiView
    from organisations.models import ApiKey


def check(view: ApiView, key: ApiKey) -> None:
    """Count this request; raises Throttled past the limit."""
