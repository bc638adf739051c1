"""What becomes of credit when contacts are merged, parted, redacted and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from contacts import services as contacts
from contacts.models import Contact
from organisations.models import Organisation
from rewards import services
from rewards.models import CreditEntry, CreditMovement


@pytest.fixture
def twin(organisation: Organisation) -> Contact:
    """Another contact, who turns out to be the same person."""
    return contacts.upsert(organisation=organisation, values={"email_address": "twin@example.com"})[
        0
    ]


def balance(api: Any, contact: Contact) -> int:
    told = api.get(f"/contacts/{contact.pk}/credit").json()
    assert sum(entry["amount"] for entry in told["entries"]) == told["balances"]["GBP"]
    return int(told["balances"]["GBP"])


def merge(api: Any, survivor: Contact, absorbed: Contact) -> None:
    answer = api.post(f"/contacts/{survivor.pk}/merge", {"contact": absorbed.pk})
    assert answer.status_code == 200, answer.content


def unmerge(api: Any, survivor: Contact, absorbed: Contact) -> None:
    answer = api.post(f"/contacts/{survivor.pk}/unmerge", {"contact": absorbed.pk})
    assert answer.status_code == 200, answer.content


def test_credit_moves_with_a_merge_and_back(api: Any, contact: Contact, twin: Contact) -> None:
    services.grant(contact=contact, amount=100)
    services.grant(contact=twin, amount=50, external_reference="SO-1")
    services.redeem(contact=twin, amount=10)

    merge(api, contact, twin)

    assert balance(api, contact) == 140
    assert balance(api, twin) == 140  # the survivor's
    # A retry finds what it gave, whoever's it is by now.
    assert services.grant(contact=twin, amount=50, external_reference="SO-1")[1] is False
    unmerge(api, contact, twin)
    assert (balance(api, contact), balance(api, twin)) == (100, 40)


def test_what_was_spent_while_merged_stays_spent(api: Any, contact: Contact, twin: Contact) -> None:
    services.grant(contact=contact, amount=100)
    services.grant(contact=twin, amount=50)
    merge(api, contact, twin)
    # All of the survivor's, who had it first, and 20 of the other's.
    services.redeem(contact=contact, amount=120)

    unmerge(api, contact, twin)

    assert (balance(api, contact), balance(api, twin)) == (0, 30)
    (settled,) = twin.credit_entries.filter(kind="transfer")
    assert settled.amount == -20
    # Once more, and nothing is counted twice.
    merge(api, contact, twin)
    assert balance(api, contact) == 30
    unmerge(api, contact, twin)
    assert (balance(api, contact), balance(api, twin)) == (0, 30)


def test_a_redemption_taken_back_while_merged_is_the_others_again(
    api: Any, contact: Contact, twin: Contact
) -> None:
    services.grant(contact=twin, amount=50)
    spent, _created = services.redeem(contact=twin, amount=40)
    merge(api, contact, twin)
    spent.refresh_from_db()
    services.reverse(entry=spent)

    unmerge(api, contact, twin)

    assert (balance(api, contact), balance(api, twin)) == (0, 50)
    # And back it goes only once.
    address = f"/contacts/{twin.pk}/credit/{spent.pk}/reverse"
    assert api.post(address).status_code == 200
    assert balance(api, twin) == 50


def test_the_others_deletion_takes_nothing_from_the_survivor(
    api: Any, contact: Contact, twin: Contact
) -> None:
    services.grant(contact=contact, amount=100)
    services.grant(contact=twin, amount=50)
    spent, _created = services.redeem(contact=twin, amount=40)
    merge(api, contact, twin)
    spent.refresh_from_db()
    services.reverse(entry=spent)
    services.redeem(contact=contact, amount=120)
    unmerge(api, contact, twin)

    assert api.delete(f"/contacts/{twin.pk}").status_code == 204

    assert balance(api, contact) == 0
    assert not CreditEntry.objects.for_organisation(contact.organisation).filter(contact=twin.pk)


def test_a_redacted_contact_keeps_the_money(api: Any, contact: Contact) -> None:
    services.grant(contact=contact, amount=100, reason="Jane's birthday", external_reference="B-1")

    api.post(f"/contacts/{contact.pk}/redact")

    (entry,) = api.get(f"/contacts/{contact.pk}/credit").json()["entries"]
    assert (entry["reason"], entry["externalReference"]) == ("", "B-1")
    assert balance(api, contact) == 100
    assert api.post(f"/contacts/{contact.pk}/credit/redeem", {"amount": 100}).status_code == 201


def test_credit_goes_with_the_contact(api: Any, contact: Contact) -> None:
    services.grant(contact=contact, amount=100)
    services.redeem(contact=contact, amount=10)

    assert api.delete(f"/contacts/{contact.pk}").status_code == 204

    for model in (CreditEntry, CreditMovement):
        assert not model.objects.for_organisation(contact.organisation).exists()


def test_what_was_taken_back_after_parting_stays_with_whoever_redeemed(
    api: Any, contact: Contact, twin: Contact
) -> None:
    services.grant(contact=twin, amount=50)
    merge(api, contact, twin)
    spent, _created = services.redeem(contact=contact, amount=20)
    unmerge(api, contact, twin)
    services.reverse(entry=spent)
    assert (balance(api, contact), balance(api, twin)) == (20, 30)

    merge(api, contact, twin)
    assert balance(api, contact) == 50
    unmerge(api, contact, twin)

    assert (balance(api, contact), balance(api, twin)) == (20, 30)
