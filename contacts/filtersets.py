"""The query parameters of the lists of contacts, tags and referral invites."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError

from contacts import identity
from contacts.models import Contact, ReferralInvite, Tag
from contacts.querysets import ContactQuerySet, TagQuerySet
from crm.api.errors import BadQuery
from crm.api.filters import (
    ChoiceFilter,
    DateRange,
    FilterSet,
    NumberRange,
    ReferenceFilter,
    TextFilter,
)
from crm.api.names import camel
from organisations.models import Organisation

ROLLUP = "rollup__"


class ContactFilterSet(FilterSet):
    """Which contacts to list."""

    email_address = TextFilter(repeatable=True, method="having_email")
    phone_number = TextFilter(method="having_phone", description="In any spelling.")
    search = TextFilter(
        method="found",
        description="Part of a name, an e-mail or a phone number; every word must be found.",
    )
    tag = TextFilter(repeatable=True, method="tagged", description="All of the tags named.")
    kind = ChoiceFilter(choices=Contact.Kind.choices)
    dob = DateRange(days=True)
    created_at = DateRange()
    updated_at = DateRange(f"{ROLLUP}changed_at")
    last_interacted_at = DateRange(f"{ROLLUP}last_interacted_at")
    total_spend = NumberRange(f"{ROLLUP}total_spend")
    total_orders = NumberRange(f"{ROLLUP}total_orders")
    recency = NumberRange(f"{ROLLUP}recency")
    frequency = NumberRange(f"{ROLLUP}frequency")
    monetary = NumberRange(f"{ROLLUP}monetary")

    @property
    def organisation(self) -> Organisation:
        """Whose contacts are listed."""
        found: Organisation = self.request.organisation  # type: ignore[union-attr]
        return found

    @classmethod
    def is_of_totals(cls, parameter: str) -> bool:
        """Whether this parameter looks at the contact's totals."""
        found = cls.base_filters.get(parameter)
        return found is not None and found.field_name.startswith(ROLLUP)

    def having_email(
        self, contacts: ContactQuerySet, _name: str, emails: Sequence[str]
    ) -> ContactQuerySet:
        """Those that any of the addresses finds, as a POST would; and those shown with one that
        identifies nobody, such as a booking site's relay."""
        tidy = [email.strip() for email in emails]
        found = self._identified(emails=[one for one in tidy if not identity.is_placeholder(one)])
        for relay in (one for one in tidy if identity.is_placeholder(one)):
            shown = contacts.search(relay).filter(email_address__iexact=relay)
            found |= set(shown.values_list("pk", flat=True))
        return contacts.filter(pk__in=found)

    def having_phone(self, contacts: ContactQuerySet, name: str, phone: str) -> ContactQuerySet:
        """The one that the number finds, as a POST would."""
        if phone[:1] == " " and phone[1:2].isdecimal():
            phone = f"+{phone[1:]}"  # an unescaped + reaches us as a space
        try:
            read = identity.read_phone(phone, None, self.organisation.country)
        except ValidationError as error:
            raise BadQuery(camel(name), " ".join(error.messages), "invalid_phone") from None
        return contacts.filter(pk__in=self._identified(phones=[read.e164] if read.e164 else []))

    def _identified(self, *, emails: Sequence[str] = (), phones: Sequence[str] = ()) -> set[int]:
        everyone = Contact.objects.for_organisation(self.organisation)
        if not emails and not phones:
            return set()
        holders = everyone.identified_by_any(emails=emails, phones=phones)
        return {one.pk for one in everyone.survivors(holders).values()}

    def found(self, contacts: ContactQuerySet, _name: str, text: str) -> ContactQuerySet:
        """Those in which every word is found."""
        return contacts.search(text)

    def tagged(
        self, contacts: ContactQuerySet, _name: str, names: Sequence[str]
    ) -> ContactQuerySet:
        """Those that carry all of the tags."""
        for name in names:
            contacts = contacts.tagged(name)
        return contacts


class TagFilterSet(FilterSet):
    """Which tags to list."""

    name = TextFilter(method="named", description="Whatever the case and accents.")
    kind = ChoiceFilter(choices=Tag.Kind.choices)
    created_at = DateRange()

    def named(self, tags: TagQuerySet, _name: str, name: str) -> TagQuerySet:
        """The one of this name."""
        return tags.named(name)


class ReferralInviteFilterSet(FilterSet):
    """Which referral invites to list."""

    contact = ReferenceFilter("contacts")
    email_address = TextFilter(lookup_expr="iexact")
    code = TextFilter()
    status = ChoiceFilter(choices=ReferralInvite.Status.choices)
    created_at = DateRange()
    completed_at = DateRange()
