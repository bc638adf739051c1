"""What the quick readers answer is what contacts.identity would have answered."""

from __future__ import annotations

import phonenumbers
import pytest
from django.core.exceptions import ValidationError
from hypothesis import assume, example, given
from hypothesis import strategies as st

from contacts import identity
from imports.identifiers import EmailReader, PhoneReader, region_of

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
digits = st.text("0123456789", min_size=3, max_size=16)
spelt = st.builds(
    lambda plus, parts, sign: plus + sign.join(parts),
    st.sampled_from(["", "+"]),
    st.lists(st.text("0123456789", min_size=1, max_size=7), min_size=1, max_size=4),
    st.sampled_from(["", " ", "-", "--", ". ", "("]),
)


def as_identity_reads(number: str, region: str) -> identity.Phone | None:
    try:
        return identity.read_phone(number, None, region)
    except ValidationError:
        return None


@given(number=spelt, region=st.sampled_from(REGIONS))
@example(number="0" * 10, region="GB")
@example(number="+44 07837 489814", region="GB")
@example(number="180020 7946 0000", region="GB")
def test_a_number_is_read_as_identity_reads_it(number: str, region: str) -> None:
    quick = PhoneReader(region).read(number)
    if quick is not None:
        assert identity.Phone(*quick) == as_identity_reads(number, region)


@pytest.mark.parametrize("region", REGIONS)
def test_example_numbers_of_every_country_are_read_alike(region: str) -> None:
    reader = PhoneReader(region)
    example_number = phonenumbers.example_number(region)
    for kind in (
        phonenumbers.PhoneNumberFormat.E164,
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
        phonenumbers.PhoneNumberFormat.NATIONAL,
    ):
        number = phonenumbers.format_number(example_number, kind)
        quick = reader.read(number)
        assert quick is None or identity.Phone(*quick) == as_identity_reads(number, region)


@pytest.mark.parametrize("number", ["07837489814", "07837 489814", "+447837489814", "+14155550123"])
def test_usual_numbers_are_read_quickly(number: str) -> None:
    assert PhoneReader("GB").read(number) is not None


emails = st.one_of(
    st.emails(),
    st.builds(
        "{}@{}".format,
        st.text("abcNone.-_+ '\"", max_size=8),
        st.sampled_from(
            ["example.com", "guest.booking.com", "EXAMPLE.org", "nodot", "a..b", "é.fr"]
        ),
    ),
    st.sampled_from(["none@example.com", "no-reply@x.org", "NoReply@x.org", "n/a", "a@b@c.de"]),
)


@given(address=emails)
def test_an_address_is_read_as_identity_reads_it(address: str) -> None:
    address = address.strip()
    quick = EmailReader().read(address) if address else None
    if quick is not None:
        assert quick == identity.read_email(address)


@given(code=st.text("0123456789+ ", min_size=1, max_size=4), country=st.sampled_from(REGIONS))
def test_a_calling_code_is_read_as_identity_reads_it(code: str, country: str) -> None:
    region = region_of(code, country)
    if region is not None:
        example_number = phonenumbers.example_number(region)
        assume(example_number is not None)
        number = phonenumbers.format_number(example_number, phonenumbers.PhoneNumberFormat.NATIONAL)
        assert as_identity_reads(number, region) == identity.read_phone(number, code, country)
