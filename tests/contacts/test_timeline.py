"""Merging what several apps know of a contact, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from contacts import timeline
from contacts.models import Contact
from contacts.timeline import Cursor
from desk import services as desk
from organisations import roles
from organisations.models import Organisation
from rewards import services as rewards
from tests.admin import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_of(organisation: Organisation) -> Any:
    """A request of an Owner, as the middleware leaves it."""
    membership = rows.member(organisation, roles.OWNER)
    request = HttpRequest()
    user: Any = User.objects.get(pk=membership.user_id)
    user.active_organisation, user.active_role_id = organisation, membership.role_id
    request.user = user
    request.session = {}  # type: ignore[assignment]  # nothing is kept in it
    request.organisation = organisation  # type: ignore[attr-defined]
    return request


def every(request: HttpRequest, contact: Contact, limit: int) -> Iterator[Cursor]:
    before = None
    while True:
        entries, before = timeline.page(request, contact, before=before, limit=limit)
        assert len(entries) <= limit
        yield from (entry.cursor for entry in entries)
        if before is None:
            return
        # As it is in an address.
        before = Cursor.read(str(before))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_skip_nothing_and_repeat_nothing(
    limit: int, request_of: Any, organisation: Organisation
) -> None:
    """Also where much happened at the very same moment."""
    contact = rows.contact(organisation)
    same = datetime(2026, 11, 1, 12, tzinfo=UTC)
    for number in range(4):
        for moment in (same, same + timedelta(minutes=number)):
            rows.activity(organisation, contact=contact, happened_at=moment)
        note = desk.add_note(contact=contact, text="Note", by=request_of.user)
        task = rows.task(organisation, contact=contact)
        rewards.grant(contact=contact, amount=100)
        type(note).objects.for_organisation(organisation).filter(pk=note.pk).update(created_at=same)
        type(task).objects.for_organisation(organisation).filter(pk=task.pk).update(created_at=same)
    seen = list(every(request_of, contact, limit))
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen))
    kinds = [cursor.kind for cursor in seen]
    assert {kind: kinds.count(kind) for kind in ("activity", "note", "task", "credit")} == {
        "activity": 8,
        "note": 4,
        "task": 4,
        "credit": 4,
    }


@pytest.mark.parametrize(
    "text", ["", "x", "2026-01-01T00:00:00~note~1", "2026-01-01T00:00:00Z~note~", "9~note~1"]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Cursor.read(text)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"restaurant": "The Lobster Shed", "covers": 2}, "The Lobster Shed · SO-1"),
        ({"items": ["Linen robe", "Candle"]}, "Linen robe, Candle · SO-1"),
        ({"items": [{"name": "Soup"}, {"title": "Tart"}, {"sku": "1"}, 7]}, "Soup, Tart · SO-1"),
        ({"offer": "x" * 100}, f"{'x' * 79}… · SO-1"),
        ({"place": None, "note": "secret"}, "SO-1"),
    ],
)
def test_an_activity_says_where_it_was_and_what_of(
    data: dict[str, Any], told: str, request_of: Any, organisation: Organisation
) -> None:
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact, data=data, external_reference="SO-1")
    entries, _next = timeline.page(request_of, contact, before=None, limit=5)
    assert told in [entry.detail for entry in entries if entry.kind == "activity"]
