"""The page on which a contact ends messages: without login, session or cookie.

The address itself says who asks (`consent.unsubscribe_url`), and is good for nothing else. Opening
it changes nothing, because mail scanners open every link; its button, or a mail program by itself
(RFC 8058), posts.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from contacts import consent
from contacts.models import Contact
from crm import actors
from crm.actors import Actor, Kind
from organisations.models import Organisation

# As they stand within a sentence.
WORDS = {consent.Channel.EMAIL: _("e-mail"), consent.Channel.SMS: _("SMS")}


@csrf_exempt  # a mail program has no cookie; and the token cannot be guessed
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST does it. 404 for an address that is not ours."""
    link = consent.read_token(token)
    organisation = Organisation.objects.filter(pk=link.organisation).first() if link else None
    if link is None or organisation is None:
        raise Http404
    if request.method == "POST":
        with actors.acting(Actor(Kind.CONTACT, link.contact)):
            consent.unsubscribe(link)
        done = True
    else:
        done = _has_unsubscribed(link)
    context: dict[str, Any] = {
        "organisation": organisation.name,
        "channel": WORDS[link.channel],
        "done": done,
    }
    response = render(request, "unsubscribe.html", context)
    response.headers["Referrer-Policy"] = "no-referrer"  # the address is a key
    return response


def _has_unsubscribed(link: consent.Link) -> bool:
    """Also when there is nobody left to write to."""
    contacts = Contact.objects.for_organisation(link.organisation)
    try:
        contact = contacts.resolve(link.contact)
    except Contact.DoesNotExist:
        return True
    return consent.permission_of(contact, link.channel) == consent.UNSUBSCRIBED
