"""What the page needs for colleagues to be named with an @."""

from __future__ import annotations

from collections import Counter

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from desk import colleagues
from desk.admin import tasks


def media(request: HttpRequest) -> SafeString:
    """The script, and whom there is to name."""
    users = tasks.staff(request)
    return render_to_string("admin/desk/mentions.html", {"names": written(users)}, request)


def written(users: list[User]) -> list[dict[str, str]]:
    """How each is named: by the account where two have the same name."""
    names = Counter(colleagues.called(user).lower() for user in users)
    return [
        {
            "name": colleagues.called(user),
            "written": (
                colleagues.called(user)
                if names[colleagues.called(user).lower()] == 1
                else user.get_username()
            ),
        }
        for user in users
    ]
