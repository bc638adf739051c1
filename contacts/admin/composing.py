"""What staff write without leaving a page: small forms that are sent in the background.

`static/regulars/live.js` sends them and shows what changed; without it they are forms like any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse

from crm.admin.forms import Refused
from crm.errors import Conflict, in_words

ASKED_BY = "X-Regulars"
"""The header with which the script says that it is asking."""


def is_live(request: HttpRequest) -> bool:
    """Whether the script asks, and not the browser for a page."""
    return ASKED_BY in request.headers


def answer(
    request: HttpRequest,
    *,
    back: str,
    write: Callable[[Mapping[str, Any]], str],
    form: forms.Form | None = None,
    fields: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Have `write` do what was asked for, with what `form` read; it answers what to tell.

    To the script: `{"done": …}`, or `{"errors": {field: […]}}`, a 200 as with any form that comes
    back; `fields` are the form's fields by a service's columns where they differ. Else back to the
    page, with a message.
    """
    if form is not None and not form.is_valid():
        return _refused(request, dict(form.errors), back)
    try:
        done = write(form.cleaned_data if form is not None else {})
    except (ValidationError, Conflict) as error:
        if not is_live(request):
            messages.error(request, in_words(error))
            return HttpResponseRedirect(back)
        named = fields or {}
        told = {named.get(path, path): lines for path, lines in Refused(error).by_path.items()}
        return _refused(request, told, back)
    if is_live(request):
        return JsonResponse({"done": done})
    messages.success(request, done)
    return HttpResponseRedirect(back)


def _refused(request: HttpRequest, errors: Mapping[str, Any], back: str) -> HttpResponse:
    if is_live(request):
        told = {path: [str(line) for line in lines] for path, lines in errors.items()}
        return JsonResponse({"errors": told})
    for path, lines in errors.items():
        for line in lines:
            where = "" if path == NON_FIELD_ERRORS else f"{path}: "
            messages.error(request, f"{where}{line}")
    return HttpResponseRedirect(back)
