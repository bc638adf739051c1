"""`create_organisation` and `create_api_key`: what they print, and what they refuse."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from organisations.models import ApiKey, Organisation, digest

pytestmark = pytest.mark.django_db


def run(*args: str, **options: Any) -> list[str]:
    out = StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue().splitlines()


def test_create_organisation_prints_its_id_last() -> None:
    *_, last = run("create_organisation", "Seaview", currency="EUR", country="FR")
    organisation = Organisation.objects.get(pk=int(last))
    assert (organisation.name, organisation.currency_code, organisation.country) == (
        "Seaview",
        "EUR",
        "FR",
    )
    assert organisation.timezone == "Europe/London"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"currency": "POUNDS"}, "POUNDS is not an ISO 4217 currency code"),
        ({"country": "ZZ"}, "ZZ is not an ISO 3166-1 country code"),
        ({"timezone": "Mars/Base"}, "Mars/Base is not an IANA time zone"),
    ],
)
def test_create_organisation_says_what_is_wrong(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("create_organisation", "Seaview", **options)
    assert not Organisation.objects.exists()


def test_create_organisation_wants_a_name() -> None:
    with pytest.raises(CommandError, match="Name: This field cannot be blank"):
        run("create_organisation", " ")


def test_create_api_key_prints_the_key_last_and_stores_only_its_digest(
    organisation: Organisation,
) -> None:
    *_, secret = run(
        "create_api_key",
        "Till",
        organisation=str(organisation.pk),
        scopes=["contacts:read,activities:write"],
        expires="2099-01-31",
    )
    key = ApiKey.objects.get(organisation=organisation)
    assert key.digest == digest(secret)
    assert secret.startswith(key.prefix)
    assert secret not in str(key.__dict__)
    assert key.scopes == ["contacts:read", "activities:write"]
    assert key.expires_at is not None
    assert key.expires_at.isoformat().startswith("2099-01-31T23:59:59")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"organisation": "999"}, "There is no organisation with the id 999"),
        ({"organisation": "Seaview"}, "There is no organisation with the id Seaview"),
        ({"scopes": ["contacts:eat"]}, "contacts:eat"),
        ({"expires": "tomorrow"}, "tomorrow is not a date"),
        ({"expires": "2026-13-45"}, "2026-13-45 is not a date"),
        ({"expires": "2001-01-01"}, "passed already"),
    ],
)
def test_create_api_key_says_what_is_wrong(
    organisation: Organisation, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("create_api_key", "Till", **{"organisation": str(organisation.pk), **options})
    assert not ApiKey.objects.filter(organisation=organisation).exists()
