"""Writing the credit ledger: the only place that does.

Who writes to a contact's ledger holds the contact's lock, so two never spend the same. What has
expired is booked before anything else is, and is never spent, whether or not it was booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import Contact
from contacts.services.locks import locked, settling
from contacts.signals import totals_changed
from crm import causes, money
from crm.errors import Conflict
from organisations.models import ApiKey, Organisation
from rewards.models import MAX_AMOUNT, CreditEntry, CreditMovement
from rewards.querysets import Lot
from rewards.signals import credit_granted, credit_redeemed, credit_reversed

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Kind = CreditEntry.Kind
Written = tuple[CreditEntry, bool]
"""The entry, and whether it is new."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a contact can spend: by currency, the organisation's always among them; and, first to
    expire first, what is left of grants that will expire."""

    balances: dict[str, int]
    expiring: list[Lot]


@settling
def grant(
    *,
    contact: Contact,
    amount: int,
    organisation: Organisation | None = None,
    currency_code: str | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
    external_reference: str | None = None,
    staff: User | None = None,
    key: ApiKey | None = None,
    run: int | None = None,
) -> Written:
    """Give a contact (of a merged one: its survivor) credit, in the smallest unit of
    `currency_code`, by default the organisation's.

    A reference that is known answers what it gave, and gives nothing. `run` is by default the run
    of the workflow at work. Sends `credit_granted`. Raises ValidationError by column; Conflict when
    the reference gave something else.
    """
    _refuse_foreign(contact, organisation)
    draft = _draft(
        contact,
        Kind.GRANT,
        amount,
        currency_code,
        expires_at=expires_at,
        reason=reason,
        external_reference=external_reference,
        staff=staff,
        key=key,
        run=run,
    )
    known = _lock_and_find(draft, contact)
    if known is not None:
        return known, False
    if expires_at is not None and expires_at <= draft.created_at:
        raise ValidationError(
            {"expires_at": ValidationError(_("This time has passed already."), code="passed")}
        )
    draft.save()
    _move(draft, [(draft.pk, draft.expires_at, draft.amount)])
    credit_granted.send(CreditEntry, entry=draft)
    _tell(draft)
    return draft, True


@settling
def redeem(
    *,
    contact: Contact,
    amount: int,
    organisation: Organisation | None = None,
    currency_code: str | None = None,
    reason: str = "",
    external_reference: str | None = None,
    staff: User | None = None,
    key: ApiKey | None = None,
    run: int | None = None,
) -> Written:
    """Spend a contact's credit: what expires first goes first. See `grant`.

    The entry's amount is negative. Sends `credit_redeemed`. Raises ValidationError when the balance
    does not reach.
    """
    _refuse_foreign(contact, organisation)
    draft = _draft(
        contact,
        Kind.REDEEM,
        amount,
        currency_code,
        reason=reason,
        external_reference=external_reference,
        staff=staff,
        key=key,
        run=run,
    )
    known = _lock_and_find(draft, contact)
    if known is not None:
        return known, False
    lots = [
        lot
        for lot in _book_expired(draft.contact, draft.created_at)
        if lot.currency_code == draft.currency_code
    ]
    taken = _take(lots, amount)
    if sum(taken.values()) < amount:
        raise _does_not_reach(sum(lot.left for lot in lots), draft)
    draft.save()
    _move(draft, [(lot.lot, lot.expires_at, -part) for lot, part in taken.items()])
    credit_redeemed.send(CreditEntry, entry=draft)
    _tell(draft)
    return draft, True


@settling
def reverse(
    *,
    entry: CreditEntry,
    reason: str = "",
    staff: User | None = None,
    key: ApiKey | None = None,
    run: int | None = None,
) -> Written:
    """Take a redemption back: the credit returns to the grants that it came from, and what expired
    of them meanwhile expires now. A second time answers the first.

    Sends `credit_reversed`. Raises ValidationError by column; Conflict for an entry that is no
    redemption.
    """
    if entry.kind != Kind.REDEEM:
        raise Conflict(_("Only a redemption can be taken back."), [entry.pk])
    contact = locked(
        Contact.objects.for_organisation(entry.organisation_id).get(pk=entry.contact_id)
    )
    entries = CreditEntry.objects.for_organisation(entry.organisation_id)
    known = entries.filter(reverses=entry).first()
    if known is not None:
        return known, False
    # Where a merge has put it by now.
    current = entries.get(pk=entry.pk)
    if current.contact_id != contact.pk:
        raise Conflict(_("Others are changing the same contacts at this moment. Try again."))
    draft = _draft(
        contact,
        Kind.REVERSAL,
        -current.amount,
        current.currency_code,
        reason=reason,
        staff=staff,
        key=key,
        run=run,
    )
    draft.contact, draft.reverses = contact, current
    draft.save()
    returned = list(current.movements.order_by("pk"))
    own = set(
        entries.filter(contact=contact, pk__in=[one.lot_id for one in returned]).values_list(
            "pk", flat=True
        )
    )
    # A grant that went back to another contact, when a merge was undone, is not to be filled from
    # here: this entry then stands for it.
    _move(
        draft,
        [
            (one.lot_id if one.lot_id in own else draft.pk, one.expires_at, -one.amount)
            for one in returned
        ],
    )
    _book_expired(contact, draft.created_at)
    credit_reversed.send(CreditEntry, entry=draft)
    _tell(draft)
    return draft, True


def statement(contact: Contact) -> Statement:
    """What the contact can spend now. One query; when something has expired since anybody looked,
    that is booked first, so that the entries add up to what is told."""
    now = timezone.now()
    lots = contact.credit_movements.all().lots()
    if any(lot.left and lot.is_over(now) for lot in lots):
        with transaction.atomic():
            _book_expired(locked(contact), now)
        lots = contact.credit_movements.all().lots()
    balances = {contact.organisation.currency_code: 0}
    for lot in lots:
        balances.setdefault(lot.currency_code, 0)
        balances[lot.currency_code] += 0 if lot.is_over(now) else lot.left
    expiring = [lot for lot in lots if lot.left and lot.expires_at and not lot.is_over(now)]
    return Statement(balances, expiring)


def expire_due() -> int:
    """Book what has expired of all organisations' credit, contact by contact; answers of how many
    contacts. For the worker's schedule: nothing but the look of the ledger waits for it."""
    now = timezone.now()
    over = CreditMovement.objects.across_organisations().filter(expires_at__lte=now)
    lots = over.order_by().values("contact", "lot").annotate(left=Sum("amount")).exclude(left=0)
    booked = 0
    for pk in sorted(set(lots.values_list("contact", flat=True))):
        with transaction.atomic():
            contact = Contact.objects.across_organisations().filter(pk=pk).first()
            if contact is not None:
                _book_expired(locked(contact), now)
                booked += 1
    return booked


# The pieces.


def _refuse_foreign(contact: Contact, organisation: Organisation | None) -> None:
    if organisation is not None and contact.organisation_id != organisation.pk:
        raise ValidationError(
            {"contact": ValidationError(_("This contact is another organisation's."), "foreign")}
        )


def _draft(
    contact: Contact, kind: Kind, amount: int, currency_code: str | None, **values: Any
) -> CreditEntry:
    """An entry that is not written yet. Raises ValidationError by column."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= MAX_AMOUNT:
        raise ValidationError(
            {
                "amount": ValidationError(
                    _("Give a whole number of the currency's smallest unit, from 1 to %(most)d."),
                    code="invalid_amount",
                    params={"most": MAX_AMOUNT},
                )
            }
        )
    if values.get("run") is None and (cause := causes.current()) is not None:
        values["run"] = cause.run
    values["reason"] = values["reason"].strip()
    reference = (values.get("external_reference") or "").strip()
    draft = CreditEntry(
        organisation_id=contact.organisation_id,
        contact=contact,
        kind=kind,
        amount=amount if kind in {Kind.GRANT, Kind.REVERSAL} else -amount,
        currency_code=currency_code or contact.organisation.currency_code,
        created_at=timezone.now(),
        **{**values, "external_reference": reference or None},
    )
    draft.clean_fields(exclude=["organisation", "contact", "staff", "key", "reverses"])
    return draft


def _lock_and_find(draft: CreditEntry, contact: Contact) -> CreditEntry | None:
    """Lock the contact, and find the entry that says the same already. Raises Conflict when its
    reference stands for something else."""
    draft.contact = locked(contact)
    draft.created_at = timezone.now()  # in the order in which they take their turn
    if draft.external_reference is None:
        return None
    known: CreditEntry | None = (
        CreditEntry.objects.for_organisation(draft.organisation_id)
        .filter(external_reference=draft.external_reference, kind=draft.kind)
        .first()
    )
    if known is not None and (known.contact_id, known.amount, known.currency_code) != (
        draft.contact_id,
        draft.amount,
        draft.currency_code,
    ):
        raise Conflict(
            _("The external reference %(reference)s was used for another contact or amount.")
            % {"reference": draft.external_reference},
            [known.pk],
        )
    return known


def _book_expired(contact: Contact, now: datetime) -> list[Lot]:
    """Write an entry for each grant that has expired with something left, and answer the others
    that have. The contact is locked."""
    lots = [lot for lot in contact.credit_movements.all().lots() if lot.left]
    over = [lot for lot in lots if lot.is_over(now)]
    for lot in over:
        entry = CreditEntry.objects.create(
            organisation_id=contact.organisation_id,
            contact=contact,
            kind=Kind.EXPIRE,
            amount=-lot.left,
            currency_code=lot.currency_code,
            expires_at=lot.expires_at,
            created_at=now,
        )
        _move(entry, [(lot.lot, lot.expires_at, -lot.left)])
    if over:
        _tell(entry)
    return [lot for lot in lots if not lot.is_over(now)]


def _take(lots: Iterable[Lot], amount: int) -> dict[Lot, int]:
    """How much of which lots, in their order, makes `amount`, or all that there is."""
    taken = {}
    for lot in lots:
        if amount == 0:
            break
        taken[lot] = min(lot.left, amount)
        amount -= taken[lot]
    return taken


def _move(entry: CreditEntry, parts: Sequence[tuple[int, datetime | None, int]]) -> None:
    CreditMovement.objects.bulk_create(
        CreditMovement(
            organisation_id=entry.organisation_id,
            entry=entry,
            lot_id=lot,
            contact_id=entry.contact_id,
            currency_code=entry.currency_code,
            amount=amount,
            expires_at=expires_at,
        )
        for lot, expires_at, amount in parts
    )


def settle(owner: Contact, other: Contact, lots: Iterable[Lot]) -> None:
    """Of grants that are `owner`'s again after a merge was undone, move what `other` has left of
    them, which is negative where it spent of them, to the owner. Both are locked."""
    groups: dict[tuple[str, bool], list[Lot]] = {}
    for lot in lots:
        groups.setdefault((lot.currency_code, lot.left > 0), []).append(lot)
    now = timezone.now()
    for (currency_code, _sign), group in groups.items():
        for contact, sign in ((other, -1), (owner, 1)):
            entry = CreditEntry.objects.create(
                organisation_id=contact.organisation_id,
                contact=contact,
                kind=Kind.TRANSFER,
                amount=sign * sum(lot.left for lot in group),
                currency_code=currency_code,
                created_at=now,
            )
            _move(entry, [(lot.lot, lot.expires_at, sign * lot.left) for lot in group])


def _does_not_reach(balance: int, draft: CreditEntry) -> ValidationError:
    shown = money.show(balance, draft.currency_code)
    return ValidationError(
        {
            "amount": ValidationError(
                _("The balance does not reach: it is %(balance)d %(currency)s (%(shown)s)."),
                code="insufficient_balance",
                params={"balance": balance, "currency": draft.currency_code, "shown": shown},
            )
        }
    )


def _tell(entry: CreditEntry) -> None:
    """Rules may ask about credit."""
    totals_changed.send(
        CreditEntry, organisation=entry.contact.organisation, ids=[entry.contact_id]
    )
