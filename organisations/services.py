"""Writing organisations, their staff and their API keys."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone as clock
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from crm.api import scopes as api_scopes
from crm.errors import Conflict
from organisations import roles
from organisations.models import ApiKey, Membership, Organisation, Preferences, digest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KEY_PREFIX = "rg_"
CHANGEABLE = ("name", "status", "currency_code", "country", "timezone")


@transaction.atomic
def create_organisation(
    *,
    name: str,
    currency_code: str = "GBP",
    country: str = "GB",
    timezone: str = "Europe/London",
) -> Organisation:
    """A new organisation, with nobody in it yet. Raises ValidationError by field."""
    organisation = Organisation(
        name=name.strip(),
        currency_code=currency_code.strip().upper(),
        country=country.strip().upper(),
        timezone=timezone.strip(),
    )
    organisation.full_clean()
    organisation.save()
    return organisation


@transaction.atomic
def update_organisation(*, organisation: Organisation, values: Mapping[str, Any]) -> Organisation:
    """Change some of `CHANGEABLE`; answers it as it is now. Raises ValidationError by field."""
    current = Organisation.objects.select_for_update().get(pk=organisation.pk)
    for field in CHANGEABLE:
        if field in values:
            setattr(current, field, values[field])
    current.full_clean()
    current.save()
    return current


@transaction.atomic
def set_listening(*, organisation: Organisation | int, owner: str, kinds: Iterable[str]) -> None:
    """Note that `owner` ("workflows", "webhooks", …) wants to hear of these kinds and no others.

    What others listen to stays. One query, two when it changes.
    """
    pk = organisation if isinstance(organisation, int) else organisation.pk
    # Not against those who write rows of the organisation, or two of them here would meet head-on.
    rows = Organisation.objects.select_for_update(no_key=True)
    current = rows.only("listens_to").get(pk=pk)
    wanted = {**current.listens_to, owner: sorted(set(kinds))}
    listens_to = {name: heard for name, heard in wanted.items() if heard}
    if listens_to != current.listens_to:
        Organisation.objects.filter(pk=pk).update(listens_to=listens_to)
    if not isinstance(organisation, int):
        organisation.listens_to = listens_to


@transaction.atomic
def set_preferences(*, user: User, first_name: str, last_name: str, language: str) -> User:
    """How colleagues read a member of staff's name, and the language that they read themselves:
    one of `settings.LANGUAGES`, or "" for what the browser asks for. Raises ValidationError by
    field."""
    preferences = Preferences(user=user, language=language)
    preferences.full_clean(exclude=["user"])
    user.first_name, user.last_name = first_name.strip(), last_name.strip()
    user.full_clean(exclude=["password"])
    user.save(update_fields=["first_name", "last_name"])
    Preferences.objects.update_or_create(user=user, defaults={"language": language})
    return user


@transaction.atomic
def create_api_key(
    *,
    organisation: Organisation,
    name: str,
    scopes: Sequence[str] = ("all",),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is kept nowhere: whoever asks must show it now.

    Raises ValidationError by field for a scope that the API does not know and for an expiry that
    has passed.
    """
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    try:
        wanted = api_scopes.check(scopes)
    except ValidationError as error:
        raise ValidationError({"scopes": error}) from None
    key = ApiKey(
        organisation=organisation,
        name=name.strip(),
        prefix=secret[:10],
        digest=digest(secret),
        scopes=wanted,
        expires_at=expires_at,
    )
    key.full_clean(exclude=["digest"])  # random; asking who else has it would need no organisation
    if expires_at is not None and expires_at <= clock.now():
        raise ValidationError(
            {"expires_at": ValidationError(_("This time has passed already."), code="passed")}
        )
    key.save()
    return key, secret


@transaction.atomic
def revoke_api_key(*, key: ApiKey) -> ApiKey:
    """End a key, for good. Revoking it again changes nothing."""
    if key.revoked_at is None:
        key.revoked_at = clock.now()
        key.save(update_fields=["revoked_at"])
    return key


@transaction.atomic
def add_member(
    *, organisation: Organisation, email: str, role: Group, added_by: User | None = None
) -> tuple[Membership, bool]:
    """Let someone work in the organisation; True when an account had to be made for them.

    The account found is the one with this e-mail address, whatever the case. A new one has no
    password until its owner sets one (`password_link`). Raises ValidationError when the address is
    none, or is of several accounts. Raises Conflict when they are a member already, and when the
    account is a stranger's to `added_by`: whoever made it in another organisation may not be who
    the address says, so only a superuser, or an Owner of one of its organisations, brings it in.
    """
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError as error:
        raise ValidationError({"email": error}) from None
    _require_role(role)
    users = get_user_model().objects
    found = list(users.filter(Q(email__iexact=email) | Q(username__iexact=email))[:2])
    if len(found) > 1:
        raise ValidationError(
            {
                "email": ValidationError(
                    _("Several accounts have this e-mail address; ask a superuser."),
                    code="ambiguous",
                )
            }
        )
    user = found[0] if found else users.create_user(email.lower(), email)
    if Membership.objects.filter(organisation=organisation, user=user).exists():
        raise Conflict(_("%(email)s is a member of staff already.") % {"email": email})
    if found and added_by is not None and not _may_bring_in(added_by, user):
        raise Conflict(
            _("%(email)s has an account outside this organisation. A superuser can add it.")
            % {"email": email}
        )
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    membership = Membership.objects.create(organisation=organisation, user=user, role=role)
    return membership, not found


def _may_bring_in(added_by: User, user: User) -> bool:
    return (
        added_by.is_superuser
        or Membership.objects.across_organisations()
        .filter(
            user=added_by,
            role__name=roles.OWNER,
            organisation__in=Organisation.objects.filter(members=user),
        )
        .exists()
    )


def password_link(*, membership: Membership) -> str | None:
    """The path under which a new member of staff chooses a password, once, within three days.

    None when they have one already, or work elsewhere too: an Owner may not take over an account.
    """
    user = membership.user
    elsewhere = (
        Membership.objects.across_organisations()
        .filter(user=user)
        .exclude(organisation=membership.organisation_id)
    )
    if user.has_usable_password() or user.is_superuser or elsewhere.exists():
        return None
    return reverse(
        "admin:set_password",
        args=[
            urlsafe_base64_encode(str(user.pk).encode()),
            default_token_generator.make_token(user),
        ],
    )


@transaction.atomic
def change_role(*, membership: Membership, role: Group) -> Membership:
    """Give a member of staff another role. Raises Conflict for the last Owner."""
    _require_role(role)
    if role.name != roles.OWNER:
        _require_another_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    return membership


@transaction.atomic
def remove_member(*, membership: Membership) -> None:
    """End someone's work in the organisation; their account stays. Raises Conflict for the last
    Owner."""
    _require_another_owner(membership)
    membership.delete()


def _require_role(role: Group) -> None:
    if role.name not in roles.ROLES:
        raise ValidationError(
            {"role": ValidationError(_("This group is not a role."), code="not_a_role")}
        )


def _require_another_owner(membership: Membership) -> None:
    # The organisation's row is the lock: two Owners cannot remove each other at once.
    Organisation.objects.select_for_update().get(pk=membership.organisation_id)
    owners = Membership.objects.filter(
        organisation=membership.organisation_id, role__name=roles.OWNER
    )
    ids = set(owners.values_list("user_id", flat=True))
    if ids == {membership.user_id}:
        raise Conflict(
            _("%(user)s is the only Owner. Make somebody else an Owner first.")
            % {"user": membership.user}
        )
