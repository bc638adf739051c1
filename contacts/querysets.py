"""Reading contacts, tags and referral invites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

from django.db import connections
from django.db.models import BooleanField, Exists, Func, OuterRef, Prefetch, Q, QuerySet
from django.db.models.expressions import RawSQL

from contacts import identity, search
from contacts.parts import PARTS
from organisations.querysets import TenantQuerySet

if TYPE_CHECKING:
    from contacts.models import Contact, Tag
    from organisations.models import Organisation


class Likely(Func):
    """Tells SQLite that a condition mostly holds, so that it is no reason to leave an order."""

    function = "likely"
    conditional = True
    output_field = BooleanField()


class ContactQuerySet(TenantQuerySet["Contact"]):
    """Contacts, always of a named organisation."""

    def current(self) -> Self:
        """Without those that were merged into another."""
        return self.filter(merged_into=None)

    def identified_by(self, *, email: str | None = None, phone: str | None = None) -> Self:
        """Those that the e-mail (in any case) or the phone (in E.164) identifies: at most two.

        Merged ones are among them, since their identifiers go on finding the survivor: see
        `survivors`.
        """
        return self.identified_by_any(
            emails=[email] if email else [], phones=[phone] if phone else []
        )

    def identified_by_any(self, *, emails: Iterable[str], phones: Iterable[str]) -> Self:
        """As `identified_by`, for many at once."""
        keys = Q(email_key__in=[email.lower() for email in emails])
        return self.filter(keys | Q(phone_number_e164__in=list(phones)))

    def resolve(self, pk: int) -> Contact:
        """The contact of this id or, when it was merged, the one that it is part of now.

        Raises DoesNotExist. One query, and one more for each merge on the way.
        """
        contact = self.get(pk=pk)
        while contact.merged_into_id is not None:
            contact = self.get(pk=contact.merged_into_id)
        return contact

    def survivors(self, contacts: Iterable[Contact]) -> dict[int, Contact]:
        """For each of `contacts` the one that it is part of now, by the id of the first.

        No query when none was merged, else one for each step of the longest chain of merges.
        """
        known = {contact.pk: contact for contact in contacts}
        asked = list(known)
        while (
            missing := {
                contact.merged_into_id
                for contact in known.values()
                if contact.merged_into_id is not None
            }
            - known.keys()
        ):
            known |= {contact.pk: contact for contact in self.filter(pk__in=missing)}
        survivors = {}
        for pk in asked:
            contact = known[pk]
            while contact.merged_into_id is not None:
                contact = known[contact.merged_into_id]
            survivors[pk] = contact
        return survivors

    def search(self, text: str) -> Self:
        """Those in which every word of `text` is found (see `contacts.search`)."""
        return search.matching(self, text)

    def of_kind(self, kind: str) -> Self:
        """Only people, or only businesses.

        The kind is written into the statement: SQLite uses a partial index for a value that it can
        read, not for a parameter.
        """
        from contacts.models import Contact

        return self.filter(kind=RawSQL(f"'{Contact.Kind(kind).value}'", []))  # noqa: S611  # ours

    def tagged(self, *tags: Tag) -> Self:
        """Those that carry all of these tags."""
        from contacts.models import ContactTag

        links = [ContactTag.objects.across_organisations().filter(tag=tag) for tag in tags]
        first, *others = links
        for other in others:
            first = first.filter(contact__in=other.values("contact"))
        few = self._few(first.values_list("contact", flat=True))
        if few is not None:
            return self.filter(pk__in=few).scattered()
        return self.filter(*(Exists(one.filter(contact=OuterRef("pk"))) for one in links))

    def with_totals(self, organisation: Organisation, **conditions: Any) -> Self:
        """Those whose totals fit `conditions` on `ContactRollup`.

        The totals' own organisation stands in the query, because their indexes begin with it.
        """
        from contacts.models import ContactRollup

        joined = self.filter(rollup__organisation=organisation)
        if not conditions:
            return joined
        begins_late = False
        for path in ("changed_at__lt", "changed_at__lte"):
            if path in conditions:
                # Nobody is changed before being created: where a walk from the newest begins.
                joined = joined.filter(created_at__lte=conditions[path])
                begins_late = True
        totals = ContactRollup.objects.for_organisation(organisation).filter(**conditions)
        # Tried out on PostgreSQL too: it takes those few for spread evenly over the list, and
        # would walk all of it until it has a page of them.
        few = list(totals.values_list("pk", flat=True)[: search.FEW + 1])
        if len(few) <= search.FEW:
            return joined.filter(pk__in=few)
        wanted = Q(**{f"rollup__{path}": value for path, value in conditions.items()})
        return joined.filter(wanted) if begins_late else joined._by_chance(wanted)

    def scored(self, organisation: Organisation, cells: Iterable[tuple[int, int]]) -> Self:
        """Those whose RFM scores are in one of these `cells` of (recency, frequency)."""
        from contacts.models import ContactRollup

        def within(path: str = "") -> Q:
            either = Q(pk__in=[])
            for recency, frequency in sorted(cells):
                cell = {f"{path}recency": recency, f"{path}frequency": frequency}
                either |= Q(**cell)
            return either

        totals = ContactRollup.objects.for_organisation(organisation).filter(within())
        few = list(totals.values_list("pk", flat=True)[: search.FEW + 1])
        if len(few) <= search.FEW:
            return self.filter(pk__in=few)
        joined = self.filter(rollup__organisation=organisation)
        return joined._by_chance(within("rollup__"))

    def _by_chance(self, wanted: Q) -> Self:
        """Those that fit a condition that many fit, wherever they stand in the list."""
        if connections[self.db].vendor == "sqlite":
            return self.filter(Likely(wanted))
        return self.filter(wanted).scattered()

    def _few(self, ids: QuerySet[Any, Any]) -> Sequence[int] | QuerySet[Any, Any] | None:
        """What `pk__in` wants to find `ids`, or None when they are so many that it is better to
        walk the contacts in the order that the list has.

        PostgreSQL knows from its statistics; SQLite has none of how values are spread, so there it
        is tried out.
        """
        if connections[self.db].vendor != "sqlite":
            return ids
        tried = list(ids[: search.FEW + 1])
        return tried if len(tried) <= search.FEW else None

    def with_everything(self) -> Self:
        """With all that a contact's JSON shows. A fixed number of queries for any page."""
        from contacts.models import Address, ReferralInvite, SpendInCurrency, Tag

        return self.select_related("rollup").prefetch_related(
            Prefetch("tags", Tag.objects.across_organisations().order_by("name")),
            Prefetch("addresses", Address.objects.across_organisations()),
            Prefetch(
                "referral_invites",
                ReferralInvite.objects.across_organisations().only("contact").order_by("id"),
            ),
            Prefetch(
                "foreign_spend",
                SpendInCurrency.objects.across_organisations().order_by("currency_code"),
            ),
            *(lookup for part in PARTS for lookup in part.prefetch()),
        )


class TagQuerySet(TenantQuerySet["Tag"]):
    """Tags, always of a named organisation."""

    def named(self, name: str) -> Self:
        """The one of this name, whatever its case and accents."""
        return self.filter(key=identity.fold(name))
