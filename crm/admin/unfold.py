"""Unfold, as the type checker is to see it.

Unfold is annotated in part, narrowly (an attribute declared `()` refuses every tuple), so its admin
classes are checked as Django's, which they are, and its decorators are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from unfold import decorators

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as UnfoldAdminSite
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin
    from django.contrib.admin import TabularInline as DjangoTabularInline
    from django.contrib.admin.views.main import ChangeList
    from django.forms import BaseInlineFormSet

    ModelAdmin = DjangoModelAdmin[Any]
    TabularInline = DjangoTabularInline[Any, Any]
    InlineFormSet = BaseInlineFormSet[Any, Any, Any]
else:
    from unfold.admin import ModelAdmin, TabularInline
    from unfold.forms import PaginationInlineFormSet as InlineFormSet
    from unfold.sites import UnfoldAdminSite
    from unfold.views import ChangeList

__all__ = [
    "ChangeList",
    "InlineFormSet",
    "ModelAdmin",
    "TabularInline",
    "UnfoldAdminSite",
    "action",
    "display",
]

Method = TypeVar("Method", bound=Callable[..., Any])


def action(**options: Any) -> Callable[[Method], Method]:
    """Decorates a method that is a button; see `ModelAdmin.actions_detail`."""
    return cast("Callable[[Method], Method]", decorators.action(**options))


def display(**options: Any) -> Callable[[Method], Method]:
    """Decorates a method that is a column."""
    return cast("Callable[[Method], Method]", decorators.display(**options))
