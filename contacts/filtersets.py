"""The query parameters of the lists of contacts, tags and referral invites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from contacts import identity
from contacts.models import Contact, ReferralInvite, Tag
from contacts.querysets import ContactQuerySet, TagQuerySet
from contacts.segments.models import Segment
from crm.api.errors import BadQuery
from crm.api.filters import (
    ChoiceFilter,
    DateRange,
    Family,
    Filter,
    FilterSet,
    NumberRange,
    ReferenceFilter,
    TextFilter,
)
from crm.api.names import camel
from organisations.models import Organisation


class _Conditions:
    """Stands in for a queryset: answers what a filter would filter by."""

    def filter(self, **conditions: Any) -> dict[str, Any]:
        return conditions


class TotalFilter(Filter):
    """A filter of `ContactRollup`, put on contacts."""

    def __init__(self, of_totals: Filter) -> None:
        super().__init__(of_totals.field_name, description=of_totals.description)
        self.of_totals = of_totals

    def parse(self, text: str) -> Any:
        return self.of_totals.parse(text)

    def described(self) -> Mapping[str, Any]:
        return self.of_totals.described()

    def filter(self, qs: Any, value: Any) -> Any:
        conditions: Any = self.of_totals.filter(cast(Any, _Conditions()), value)
        return qs.with_totals(cast(Any, self).parent.organisation, **conditions)


class OfTotals(Family):
    """A range of a column of `ContactRollup`."""

    def __init__(self, of_totals: Family) -> None:
        super().__init__(of_totals.field_name)
        self.of_totals = of_totals

    def members(self) -> Iterator[tuple[str, Filter]]:
        for suffix, member in self.of_totals.members():
            yield suffix, TotalFilter(member)


class ContactFilterSet(FilterSet):
    """Which contacts to list."""

    email_address = TextFilter(repeatable=True, method="having_email")
    phone_number = TextFilter(method="having_phone", description=_("In any spelling."))
    search = TextFilter(
        method="found",
        description=_(
            "Part of a name, an e-mail or a phone number; every word must be found, "
            "one of two letters where a word begins."
        ),
    )
    tag = TextFilter(repeatable=True, method="tagged", description=_("All of the tags named."))
    segment = ReferenceFilter("segments", method="in_segment")
    kind = ChoiceFilter(choices=Contact.Kind.choices, method="of_kind")
    dob = DateRange(days=True)
    created_at = DateRange()
    updated_at = OfTotals(DateRange("changed_at"))
    last_interacted_at = OfTotals(DateRange("last_interacted_at"))
    total_spend = OfTotals(NumberRange("total_spend"))
    total_orders = OfTotals(NumberRange("total_orders"))
    recency = OfTotals(NumberRange("recency"))
    frequency = OfTotals(NumberRange("frequency"))
    monetary = OfTotals(NumberRange("monetary"))

    @property
    def organisation(self) -> Organisation:
        """Whose contacts are listed."""
        found: Organisation = self.request.organisation
        return found

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

    def of_kind(self, contacts: ContactQuerySet, _name: str, kind: str) -> ContactQuerySet:
        """Only people, or only businesses."""
        return contacts.of_kind(kind)

    def found(self, contacts: ContactQuerySet, _name: str, text: str) -> ContactQuerySet:
        """Those in which every word is found."""
        return contacts.search(text)

    def tagged(
        self, contacts: ContactQuerySet, _name: str, names: Sequence[str]
    ) -> ContactQuerySet:
        """Those that carry all of the tags."""
        tags = Tag.objects.for_organisation(self.organisation)
        keys = {identity.fold(name) for name in names}
        found = list(tags.filter(key__in=keys))
        return contacts.tagged(*found) if len(found) == len(keys) else contacts.none()

    def in_segment(self, contacts: ContactQuerySet, _name: str, pk: int) -> ContactQuerySet:
        """Those that carry its tag."""
        segments = Segment.objects.for_organisation(self.organisation).select_related("tag")
        segment = segments.filter(pk=pk).first()
        return contacts.none() if segment is None else contacts.tagged(segment.tag)


class TagFilterSet(FilterSet):
    """Which tags to list."""

    name = TextFilter(method="named", description=_("Whatever the case and accents."))
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
