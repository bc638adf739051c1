"""Who is asking: an API key, or a member of staff on the docs page."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from crm import actors
from crm.actors import Actor, Kind

if TYPE_CHECKING:
    from organisations.models import ApiKey, Organisation

HEADER = "HTTP_X_API_KEY"
USED_EVERY = datetime.timedelta(minutes=1)


class ApiRequest(Request):
    """A request that a view of the API gets: somebody's, for one organisation."""

    organisation: Organisation
    auth: ApiKey | None


def _enter(request: Request, organisation: Organisation | None) -> None:
    # On both: middleware and logs see Django's request, views see DRF's.
    cast(Any, request).organisation = organisation
    cast(Any, request._request).organisation = organisation


class ApiKeyAuthentication(BaseAuthentication):
    """`x-api-key: KEY`. One query; another at most once a minute, to note the use of the key."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        secret = request.META.get(HEADER)
        if secret is None:
            return None
        key = self._find(secret)
        _enter(request, key.organisation)
        actors.enter(Actor(Kind.KEY, key.pk, key.name))
        return AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return "ApiKey"

    def _find(self, secret: str) -> ApiKey:
        keys = apps.get_model("organisations", "ApiKey").objects
        now = timezone.now()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        key = (
            keys.across_organisations().select_related("organisation").filter(digest=digest).first()
        )
        if key is None:
            raise AuthenticationFailed(_("This API key is not known."))
        if key.revoked_at is not None:
            raise AuthenticationFailed(_("This API key was revoked."))
        if key.expires_at is not None and key.expires_at <= now:
            raise AuthenticationFailed(_("This API key has expired."))
        if key.organisation.status != "Active":
            raise AuthenticationFailed(_("This organisation is suspended."))
        if key.last_used_at is None or key.last_used_at < now - USED_EVERY:
            # A busy database must not refuse a read for the sake of this note.
            with contextlib.suppress(DatabaseError):
                keys.across_organisations().filter(pk=key.pk).update(last_used_at=now)
        return key


class StaffAuthentication(SessionAuthentication):
    """Staff signed in to the admin, with CSRF enforced, in the organisation they work in.

    `request.user.active_organisation` is set by `organisations.middleware`.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        if not user.is_staff:
            raise PermissionDenied(_("Only staff may use the API without a key."))
        organisation = getattr(user, "active_organisation", None)
        if organisation is None:
            raise PermissionDenied(_("You do not belong to an organisation."))
        _enter(request, organisation)
        return user, None
