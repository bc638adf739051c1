"""RFM: how recently, how often and for how much a contact bought, 1 to 5, 5 best.

Over the contacts of an organisation that have an order: the score is
`1 + floor(5 × (rank − 1) / n)`, ranked ascending by last order, number of orders and total spend.
Equal values share the smallest rank, so they get equal scores. The others have none.

`SEGMENTS` gives the scores names, such as Champion: by recency and frequency, the grid in which
they are usually drawn. Money is told beside them, so that who comes often and spends little is not
taken for somebody who is about to leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, F, Q, Window
from django.db.models.functions import Rank
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts import rollups
from contacts.models import ContactRollup
from contacts.signals import totals_changed
from organisations.models import Organisation
from organisations.querysets import TenantQuerySet

SCORED_BY = {
    "recency": "last_order_at",
    "frequency": "total_orders",
    "monetary": "total_spend",
}
SCORES = range(1, 6)


class RfmSegment(NamedTuple):
    """Some cells of the grid, with a name."""

    key: str
    """Stable: it is in addresses."""
    word: Any
    """What a contact in it is, such as Champion; translated lazily."""
    meaning: Any
    """One sentence; translated lazily."""
    cells: frozenset[tuple[int, int]]
    """(recency, frequency)."""


def _cells(recency: Sequence[int], frequency: Sequence[int]) -> frozenset[tuple[int, int]]:
    return frozenset(product(recency, frequency))


# Each cell is in exactly one. The partition is the usual one of RFM, best first.
SEGMENTS = (
    RfmSegment(
        "champion",
        _("Champion"),
        _("Ordered lately, and orders very often."),
        _cells([5], [4, 5]),
    ),
    RfmSegment(
        "loyal",
        _("Loyal"),
        _("Orders often, the last time not long ago."),
        _cells([3, 4], [4, 5]),
    ),
    RfmSegment(
        "potential",
        _("Potential regular"),
        _("Ordered lately, and more than once."),
        _cells([4, 5], [2, 3]),
    ),
    RfmSegment("new", _("New"), _("Ordered for the first time lately."), _cells([5], [1])),
    RfmSegment(
        "promising",
        _("Promising"),
        _("Ordered for the first time not long ago."),
        _cells([4], [1]),
    ),
    RfmSegment(
        "attention",
        _("Needs attention"),
        _("Neither lately nor often: could go either way."),
        _cells([3], [3]),
    ),
    RfmSegment(
        "sleepy",
        _("About to lapse"),
        _("Orders seldom, and not for some time."),
        _cells([3], [1, 2]),
    ),
    RfmSegment(
        "risk",
        _("At risk"),
        _("Ordered often, but not for a long time."),
        _cells([1, 2], [3, 4]),
    ),
    RfmSegment(
        "precious",
        _("Not to be lost"),
        _("Was among the most frequent, but has not ordered for a long time."),
        _cells([1, 2], [5]),
    ),
    RfmSegment(
        "lapsed",
        _("Lapsed"),
        _("Ordered seldom, and a long time ago."),
        _cells([1, 2], [1, 2]),
    ),
)
_BY_CELL = {cell: segment for segment in SEGMENTS for cell in segment.cells}


def segment_of(recency: int | None, frequency: int | None) -> RfmSegment | None:
    """In which of the `SEGMENTS` these scores are; None without scores."""
    return _BY_CELL.get((recency or 0, frequency or 0))


def words_for(recency: int | None, frequency: int | None, monetary: int | None) -> str:
    """The scores in words, such as "Champion" or, of who spends the most, "Champion, big spender";
    empty without scores."""
    segment = segment_of(recency, frequency)
    if segment is None:
        return ""
    if monetary == SCORES[-1]:
        return str(_("%(segment)s, big spender") % {"segment": segment.word})
    return str(segment.word)


def recompute(organisation: Organisation | None = None) -> int:
    """Score the contacts anew, of one organisation or of all; answers how many scores changed.

    Sorts the totals once and writes only what differs, a thousand contacts to a transaction.
    """
    owners = [organisation] if organisation is not None else Organisation.objects.order_by("pk")
    return sum(_clear(owner) + _score(owner) for owner in owners)


def _clear(organisation: Organisation) -> int:
    """Take the scores from those who have no order any more."""
    unscored = dict.fromkeys(SCORED_BY)
    pending = (
        ContactRollup.objects.for_organisation(organisation)
        .filter(total_orders__lte=0)
        .exclude(**{f"{score}__isnull": True for score in SCORED_BY})
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    cleared = 0
    while ids := list(pending[: rollups.BATCH]):
        with transaction.atomic():
            cleared += rollups.lock(ids).update(**unscored, changed_at=timezone.now())
            totals_changed.send(Organisation, organisation=organisation, ids=ids)
    return cleared


def _score(organisation: Organisation) -> int:
    """Give those who have one the scores that they have not got yet."""
    ranked = _ranked(organisation)
    right = Q(**{score: F(f"new_{score}") for score in SCORED_BY})
    wrong = ranked.exclude(right).order_by("pk")
    rows = wrong.values_list("pk", *(f"new_{score}" for score in SCORED_BY)).iterator(rollups.BATCH)
    scored = 0
    while batch := list(islice(rows, rollups.BATCH)):
        _write(organisation, batch)
        scored += len(batch)
    return scored


def _ranked(organisation: Organisation) -> TenantQuerySet[ContactRollup]:
    """The contacts with an order, their scores as `new_recency` and so on."""
    ranked = ContactRollup.objects.for_organisation(organisation).filter(total_orders__gt=0)
    for score, column in SCORED_BY.items():
        rank = Window(Rank(), order_by=F(column).asc())
        ranked = ranked.annotate(**{f"new_{score}": 1 + 5 * (rank - 1) / Window(Count("*"))})
    return ranked


def _write(organisation: Organisation, rows: Sequence[tuple[int, int, int, int]]) -> None:
    """Set the scores of these contacts, given as rows of id, recency, frequency, monetary."""
    table = connection.ops.quote_name(ContactRollup._meta.db_table)
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    with transaction.atomic(), connection.cursor() as cursor:
        rollups.lock([row[0] for row in rows])
        cursor.execute(
            f"WITH score (contact_id, recency, frequency, monetary) AS (VALUES {values})"  # noqa: S608
            f" UPDATE {table} AS rollup SET recency = score.recency,"
            " frequency = score.frequency, monetary = score.monetary, changed_at = %s"
            " FROM score WHERE rollup.contact_id = score.contact_id",
            [
                *(value for row in rows for value in row),
                connection.ops.adapt_datetimefield_value(timezone.now()),
            ],
        )
        totals_changed.send(Organisation, organisation=organisation, ids=[row[0] for row in rows])
