"""RFM scores in words."""

from __future__ import annotations

from itertools import product

import pytest

from contacts.rfm import SCORES, SEGMENTS, segment_of, words_for


def test_each_cell_of_the_grid_has_one_name() -> None:
    cells = [cell for segment in SEGMENTS for cell in segment.cells]
    assert sorted(cells) == sorted(product(SCORES, SCORES))
    assert len({segment.key for segment in SEGMENTS}) == len(SEGMENTS)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ((5, 5, 5), "Champion, big spender"),
        ((5, 4, 2), "Champion"),
        ((5, 1, 1), "New"),
        ((4, 4, 4), "Loyal"),
        ((1, 5, 5), "Not to be lost, big spender"),
        ((1, 1, 1), "Lapsed"),
        ((None, None, None), ""),
    ],
)
def test_scores_are_told_in_words(
    scores: tuple[int | None, int | None, int | None], words: str
) -> None:
    assert words_for(*scores) == words


def test_who_has_no_order_is_in_no_segment() -> None:
    assert segment_of(None, None) is None
