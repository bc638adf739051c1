"""`contact.credit` in rules. That query and memory agree is told by test_rules_agree.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.exceptions import ValidationError
from django.test import Client

from contacts import consent, rules, segments
from contacts.models import Contact
from organisations.models import Organisation
from rewards import services

NOW = datetime(2026, 4, 7, 12, tzinfo=UTC)


def rule(organisation: Organisation, field: str, operator: str, value: Any) -> rules.Rule:
    data = {"field": field, "operator": operator, "value": value}
    return rules.parse(data, organisation=organisation)


def whom(organisation: Organisation, one: rules.Rule, now: datetime) -> list[int]:
    contacts = Contact.objects.for_organisation(organisation)
    return list(one.narrow(contacts, now=now).values_list("pk", flat=True))


def test_credit_is_asked_as_it_is_at_the_moment(
    organisation: Organisation, contact: Contact
) -> None:
    with time_machine.travel(NOW, tick=False):
        services.grant(contact=contact, amount=500, expires_at=NOW + timedelta(days=3))
        services.grant(contact=contact, amount=900, currency_code="EUR")
        services.redeem(contact=contact, amount=100)
    at_least = rule(organisation, "contact.credit", "gte", 400)
    more = rule(organisation, "contact.credit", "gt", 400)
    none = rule(organisation, "contact.credit", "eq", 0)
    euros = rule(organisation, "contact.creditByCurrency.EUR", "eq", 900)

    assert [whom(organisation, one, NOW) for one in (at_least, more, none, euros)] == [
        [contact.pk],
        [],
        [],
        [contact.pk],
    ]
    # Nobody has booked it, and it is gone all the same.
    later = NOW + timedelta(days=3)
    assert whom(organisation, at_least, later) == []
    assert whom(organisation, none, later) == [contact.pk]
    assert none.holds(rules.Subject(contact, now=later))
    assert at_least.moves_with_time
    assert at_least.watches == {"contact.credit"}


def test_what_a_rule_found_is_explained(organisation: Organisation, contact: Contact) -> None:
    services.grant(contact=contact, amount=250)

    (finding,) = rule(organisation, "contact.credit", "gte", 300).explain(rules.Subject(contact))

    assert (finding.found, finding.holds) == (250, False)


def test_people_choose_credit_in_the_currencies_that_are_used(
    organisation: Organisation, contact: Contact
) -> None:
    services.grant(contact=contact, amount=900, currency_code="EUR")

    offered = [one["field"] for one in rules.catalogue(organisation, ("contact",))["fields"]]

    assert [name for name in offered if "credit" in name] == [
        "contact.credit",
        "contact.creditByCurrency.EUR",
    ]


@pytest.mark.parametrize("name", ["contact.creditByCurrency.XXQ", "contact.creditByCurrency"])
def test_no_such_currency(organisation: Organisation, name: str) -> None:
    with pytest.raises(ValidationError):
        rule(organisation, name, "eq", 1)


def tags(api: Any, contact: Contact) -> list[str]:
    """Once the worker has looked."""
    segments.refresh_due()
    return [tag["name"] for tag in api.get(f"/contacts/{contact.pk}").json()["tags"]]


def test_a_segment_follows_credit(api: Any, contact: Contact, credit: str) -> None:
    condition = {"field": "contact.credit", "operator": "gte", "value": 100}
    api.post("/segments", {"name": "Can pay", "rules": {"all": [condition]}})

    assert tags(api, contact) == []
    api.post(credit, {"amount": 100})
    assert tags(api, contact) == ["Can pay"]
    spent = api.post(f"{credit}/redeem", {"amount": 1}).json()
    assert tags(api, contact) == []
    api.post(f"{credit}/{spent['id']}/reverse")
    assert tags(api, contact) == ["Can pay"]


def test_a_segment_follows_permissions(api: Any, contact: Contact, client: Client) -> None:
    condition = {"field": "contact.permissions.email", "operator": "ne", "value": "unsubscribed"}
    api.post("/segments", {"name": "Mailing", "rules": {"all": [condition]}})

    assert tags(api, contact) == ["Mailing"]
    client.post(consent.unsubscribe_url(contact, "email").removeprefix(settings.SITE_URL))
    assert tags(api, contact) == []
