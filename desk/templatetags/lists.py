"""The bar above a list."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.inclusion_tag("admin/desk/lists/bar.html", takes_context=True)
def views_bar(context: Any, changes: Any) -> dict[str, Any]:
    """See `desk.lists.bar`, which is read late: tags are loaded while the admin is."""
    from desk.lists import bar

    request = context["request"]
    token = context.get("csrf_token")
    return {"request": request, "csrf_token": token, **bar.context(request, changes)}
