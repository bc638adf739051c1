"""`manage.py create_api_key NAME --organisation ID`: a new key, shown once, as the last line."""

from __future__ import annotations

from datetime import UTC, datetime, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from organisations import services
from organisations.management import sentence
from organisations.models import Organisation


def read_expiry(given: str, zone: tzinfo = UTC) -> datetime:
    """The end of a day, or a moment; without an offset, in `zone`."""
    try:
        day = parse_date(given)
        moment = datetime.combine(day, time.max) if day else parse_datetime(given)
    except ValueError:
        moment = None
    if moment is None:
        raise CommandError(
            f"{given} is not a date such as 2027-01-31, nor a time such as 2027-01-31T18:00:00Z."
        )
    return timezone.make_aware(moment, zone) if timezone.is_naive(moment) else moment


class Command(BaseCommand):
    help = "Make an API key for an organisation and print it, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, such as Website")
        parser.add_argument("--organisation", required=True, metavar="ID")
        parser.add_argument(
            "--scopes",
            nargs="+",
            default=["all"],
            metavar="SCOPE",
            help="such as contacts:read activities:write; default all",
        )
        parser.add_argument("--expires", metavar="DATE", help="a date or a time; default never")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = self.find(options["organisation"])
        scopes = [scope for given in options["scopes"] for scope in given.split(",") if scope]
        expires = options["expires"]
        try:
            key, secret = services.create_api_key(
                organisation=organisation,
                name=options["name"],
                scopes=scopes,
                expires_at=expires and read_expiry(expires, ZoneInfo(organisation.timezone)),
            )
        except ValidationError as error:
            raise CommandError(sentence(error)) from None
        self.stdout.write(
            f"Made a key for {organisation.name} ({', '.join(key.scopes)}). "
            "It is shown only now; keep it safe:"
        )
        self.stdout.write(secret)

    @staticmethod
    def find(given: str) -> Organisation:
        organisation = (
            Organisation.objects.filter(pk=int(given)).first() if given.isdecimal() else None
        )
        if organisation is None:
            raise CommandError(
                f"There is no organisation with the id {given}; create_organisation makes one."
            )
        return organisation
