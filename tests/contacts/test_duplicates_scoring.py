"""How alike two contacts are, and by what they meet. No database."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.duplicates.keys import Facts, keys_of, mailbox, place, tells, usual_domain
from contacts.duplicates.likeness import alike, errors_between, tokens
from contacts.duplicates.scoring import LEAST, score


def facts(name: str = "", email: str = "", phone: str = "", **values: Any) -> Facts:
    words = tokens(name)
    local, domain = mailbox(email)
    given = {
        "pk": 1,
        "kind": "person",
        "first": words[:-1],
        "name": words,
        "local": local,
        "domain": domain,
        "local_tells": tells(local, words),
        "national": phone,
        "dob": None,
        "places": frozenset(),
    }
    return Facts(**{**given, **values})


BORN, PLACE = date(1980, 5, 17), frozenset({"ls11aa:4"})


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        (facts("Jane Doe", "jane.doe@gmail.com"), facts("", "janedoe@gmial.com"), ["mailbox"]),
        (facts("", "jane+shop@x.com"), facts("", "jane@x.com"), ["mailbox"]),
        (facts("", "jo@exmaple.com"), facts("", "jo@example.com"), ["mailbox"]),
        (
            facts("Jane Doe", "rosebud77@a.com"),
            facts("Doe, Jane", "rosebud77@b.org"),
            ["name_swapped", "email_name"],
        ),
        (facts(phone="7700900123"), facts(phone="7700900123"), ["phone"]),
        (
            facts("Jane Doe", phone="7700900123"),
            facts("Jane Doe", phone="207700900123"),
            ["name", "phone_end"],
        ),
        (facts("Jane Doe", dob=BORN), facts("Jnae Doe", dob=BORN), ["birthday", "name_alike"]),
        (
            facts("Jane Ann Doe", places=PLACE),
            facts("Mrs. Jané DOE", places=PLACE),
            ["address", "name_alike"],
        ),
        (facts("J. Doe", dob=BORN), facts("Jane Doe", dob=BORN), ["birthday", "name_alike"]),
    ],
)
def test_what_speaks_for_it_is_named(one: Facts, other: Facts, reasons: list[str]) -> None:
    found = score(one, other)
    assert [*found.reasons] == reasons
    assert found.points >= LEAST


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (facts("Jane Doe"), facts("Jane Doe")),
        (facts("Jane Doe", "jane.doe@a.com"), facts("Jane Doe", "jane.doe@b.com")),
        (facts("Jane Doe", phone="7700900123"), facts("Tom Bell", phone="7700900123")),
        (facts("Jane Doe", phone="7700900123"), facts("Tom Doe", phone="7700900123")),
        (facts("Jane Doe", places=PLACE), facts("Tom Doe", places=PLACE)),
        (facts("Jane Doe", dob=BORN, places=PLACE), facts("Tom Bell", dob=BORN, places=PLACE)),
        (facts("", dob=BORN, places=PLACE), facts("", dob=BORN, places=PLACE)),
        (
            facts("Jane Doe", dob=BORN, places=PLACE),
            facts("Jane Doe", dob=date(2010, 1, 2), places=PLACE),
        ),
        (
            facts("Jane Doe", phone="7700900123"),
            facts("Acme Ltd", phone="7700900123", kind="business"),
        ),
    ],
)
def test_what_is_no_duplicate_is_not_proposed(one: Facts, other: Facts) -> None:
    assert score(one, other).points < LEAST


def test_more_evidence_is_worth_more() -> None:
    by_name = score(facts("Jane Doe", dob=BORN), facts("Jane Doe", dob=BORN)).points
    both = score(
        facts("Jane Doe", dob=BORN, phone="7700900123"),
        facts("Jane Doe", dob=BORN, phone="7700900123"),
    ).points
    assert LEAST < by_name < both < 100


words = st.text("abjö ", max_size=9)
anybody = st.builds(
    facts,
    words,
    st.sampled_from(["", "jo.b@gmail.com", "job@gmial.com", "rosebud@a.com", "rosebud@b.com"]),
    st.sampled_from(["", "7700900123", "447700900123", "7700900124"]),
    dob=st.sampled_from([None, BORN, date(1980, 5, 18)]),
    places=st.sampled_from([frozenset(), PLACE]),
    kind=st.sampled_from(["person", "business"]),
)


@given(anybody, anybody)
def test_a_pair_is_as_likely_the_other_way_round(one: Facts, other: Facts) -> None:
    assert score(one, other) == score(other, one)
    assert 0 <= score(one, other).points <= 100


@given(anybody, anybody)
def test_whoever_is_proposed_meets_by_a_key(one: Facts, other: Facts) -> None:
    """Nothing is missed that scores for an e-mail, a phone number, or a whole name."""
    reasons = {*score(one, other).reasons}
    if score(one, other).points >= LEAST and reasons & {"mailbox", "phone", "name", "name_swapped"}:
        assert {*keys_of(one)} & {*keys_of(other)}


@given(st.text("abcd", max_size=6), st.text("abcd", max_size=6), st.integers(0, 3))
def test_typing_errors_are_counted_alike_from_both_ends(one: str, other: str, most: int) -> None:
    found = errors_between(one, other, most)
    assert found == errors_between(other, one, most)
    assert (found == 0) == (one == other)
    assert found == min(errors_between(one, other, 9), most + 1)


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("smith", "smtih", 1), ("smith", "smyth", 1), ("smith", "smiths", 1), ("jane", "tom", 3)],
)
def test_a_swap_is_one_error(one: str, other: str, count: int) -> None:
    assert errors_between(one, other, 2) == count


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Jane Smith", "Smyth Jane", True),
        ("Jane Smith", "Jane Mary Smith", True),
        ("Ann Lee", "Amy Lee", False),  # too short for an error
        ("Jane Doe", "Jane Deo", True),  # though not for a swap
        ("Jane Smith", "John Smith", False),
        ("Alexandra Featherstone", "Alexandre Fetherstone", True),
    ],
)
def test_similar_names(one: str, other: str, same: bool) -> None:
    assert alike(tokens(one), tokens(other)) is same


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("googlemail.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("mail.com", "mail.com"),
        ("example.com", "example.com"),
    ],
)
def test_mistyped_domains(domain: str, meant: str) -> None:
    assert usual_domain(domain) == meant


@pytest.mark.parametrize(
    ("local", "name", "does"),
    [
        ("janedoe", "Jane Doe", False),
        ("jdoe12", "Jane Doe", False),
        ("janedoe1984", "Jane Doe", True),
        ("rosebud", "Jane Doe", True),
        ("info", "", False),
    ],
)
def test_an_emails_name_made_of_the_persons_tells_nothing(
    local: str, name: str, does: bool
) -> None:
    assert tells(local, tokens(name)) is does


def test_addresses_are_the_same_in_other_spellings() -> None:
    assert place("LS1 1AA", "Flat 4, High Street", "") == place("ls11aa", "4 High St.", "Leeds")
    assert place("", "The Old Mill", "Leeds") == place("", "the old mill", "LEEDS") != ""
    assert place("LS1 1AA", "", "") == place("", "4 High Street", "") == ""
