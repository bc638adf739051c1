"""Which organisation a member of staff is working in."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation

from crm import actors
from organisations.models import Membership, Organisation, preferences_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SESSION_KEY = "organisation"
# How many organisations a superuser's switch lists; the rest are reached from their list.
SWITCH_LIMIT = 50


class StaffRequest(HttpRequest):
    """A request as `OrganisationMiddleware` leaves it."""

    organisation: Organisation | None
    organisations: list[Organisation]


def organisation_of(request: HttpRequest) -> Organisation | None:
    """The organisation that this request works in; None without one."""
    return cast("Organisation | None", getattr(request, "organisation", None))


class OrganisationMiddleware:
    """Sets `request.organisation` and `request.organisations` (those to switch between), and the
    user's `active_organisation` and `active_role_id`.

    The session says which organisation; else it is the first that the user belongs to. A superuser
    works in one at a time too, but may be in any. Admin pages show times in the organisation's
    time zone, in the language that the user chose, and what is written is put down to the user
    (`crm.actors`). Two queries for someone signed in, none for anybody else.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        staff = cast(StaffRequest, request)
        staff.organisation, staff.organisations = None, []
        # Without a session cookie nobody is signed in, and an API request must not pay for asking.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return self.get_response(request)
        enter(staff, request.user)
        speak(staff, request.user)
        with actors.acting(actors.staff(request.user)):
            return self._in_its_time(staff)

    def _in_its_time(self, staff: StaffRequest) -> HttpResponse:
        request: HttpRequest = staff
        if staff.organisation is None or not request.path.startswith(reverse("admin:index")):
            return self.get_response(request)
        with timezone.override(zoneinfo.ZoneInfo(staff.organisation.timezone)):
            return self.get_response(request)


def enter(request: StaffRequest, user: User) -> None:
    """Find the organisation for `user` and note it on the request and the user."""
    chosen = request.session.get(SESSION_KEY)
    memberships = list(
        Membership.objects.across_organisations()
        .filter(user=user)
        .select_related("organisation")
        .order_by("organisation__name", "organisation_id")
    )
    roles = {membership.organisation: membership.role_id for membership in memberships}
    request.organisations = list(roles)
    if user.is_superuser:
        others = Organisation.objects.exclude(pk__in=[o.pk for o in roles]).order_by("name", "pk")
        request.organisations += others[:SWITCH_LIMIT]
        if chosen is not None and all(o.pk != chosen for o in request.organisations):
            request.organisations += Organisation.objects.filter(pk=chosen)
    request.organisation = next(
        (o for o in request.organisations if o.pk == chosen),
        request.organisations[0] if request.organisations else None,
    )
    active: Any = user
    active.active_organisation = request.organisation
    active.active_role_id = (
        None if request.organisation is None else roles.get(request.organisation)
    )


def speak(request: HttpRequest, user: User) -> None:
    """Answer in the language that `user` chose; without a choice it stays the browser's.

    Django's LocaleMiddleware, which comes first, sets the language anew for each request.
    """
    language = preferences_of(user).language
    if language:
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()


def switch(request: HttpRequest, organisation_id: int) -> Organisation | None:
    """Go on working in another organisation; None when it is not one of the user's."""
    user = request.user
    if not user.is_authenticated:
        return None
    allowed = (
        Organisation.objects.all()
        if user.is_superuser
        else Organisation.objects.filter(members=user)
    )
    organisation = allowed.filter(pk=organisation_id).first()
    if organisation is not None:
        request.session[SESSION_KEY] = organisation.pk
    return organisation
