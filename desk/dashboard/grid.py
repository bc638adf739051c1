"""The grid of RFM (`contacts.rfm`) as a heat map, and its segments in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from contacts import rfm
from desk.dashboard import figures, links, wording

LEVELS = 5
"""Shades beside none."""


def heat(found: Mapping[str, Any], own: str) -> dict[str, Any]:
    """Rows of cells, best first, and the segments; `own` is the currency of totals."""
    cells = {
        (recency, frequency): (number, spend, scores)
        for recency, frequency, number, spend, scores in found["grid"]
    }
    most = max((number for number, *_rest in cells.values()), default=0)

    def cell(recency: int, frequency: int) -> dict[str, Any]:
        number, spend, scores = cells.get((recency, frequency), (0, 0, 0))
        segment = rfm.segment_of(recency, frequency)
        assert segment is not None
        return {
            "recency": recency,
            "frequency": frequency,
            "number": number,
            "shown": wording.short(number) if number >= 10_000 else wording.whole(number),
            "whole": wording.whole(number),
            "level": math.ceil(LEVELS * math.sqrt(number / most)) if number else 0,
            "mean": wording.short_money(wording.mean(spend, number), own) if number else "",
            "score": wording.decimal(scores / number) if number else "",
            "word": segment.word,
            "href": links.cell(recency, frequency),
        }

    in_segment = {
        segment.key: sum(cells[one][0] for one in segment.cells if one in cells)
        for segment in rfm.SEGMENTS
    }
    scored = sum(in_segment.values())
    return {
        "rows": [
            (recency, [cell(recency, frequency) for frequency in rfm.SCORES])
            for recency in reversed(rfm.SCORES)
        ],
        "columns": list(rfm.SCORES),
        "segments": [
            (
                segment.word,
                segment.meaning,
                wording.whole(in_segment[segment.key]),
                links.contacts(rfm=segment.key),
            )
            for segment in rfm.SEGMENTS
        ],
        "scored": scored,
        "said": _("%(scored)s of %(all)s contacts have ordered and are scored.")
        % {"scored": wording.whole(scored), "all": wording.whole(found["contacts"])},
        "lapsing": wording.whole(sum(in_segment[key] for key in figures.LAPSING)),
        "lapsing_href": links.contacts(rfm=list(figures.LAPSING)),
        "is_lapsing": any(in_segment[key] for key in figures.LAPSING),
    }
