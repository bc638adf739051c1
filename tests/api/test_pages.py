"""Pages: a plain array, links that lead through all of it, and a cost that does not grow."""

import datetime
import random

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.models import Contact, ReferralInvite
from tests.api.sample import invite

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]

ORDERS = [
    "",
    "order[createdAt]=asc",
    "order[createdAt]=desc",
    "order[completedAt]=asc",
    "order[completedAt]=desc",
    "order[contact]=asc",
    "order[contact]=desc",
]


def links(answer):
    """`Link` by rel, as paths."""
    found = {}
    for part in answer.headers["Link"].split(", <"):
        address, _semicolon, rel = part.strip("<").partition(">; rel=")
        found[rel.strip('"')] = address.removeprefix("http://testserver")
    return found


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()]


def some(organisation, number, *, completed=lambda _n: None):
    """Invites of contacts with few names, many of one second, so that orders have ties."""
    contacts = [
        Contact.objects.create(organisation=organisation, name=name) for name in ("Ann", "Bo", "Cy")
    ]
    start = timezone.now().replace(microsecond=0)
    rows = [
        invite(organisation, contact=random.choice(contacts), completed_at=completed(n))
        for n in range(number)
    ]
    for row in rows:
        ReferralInvite.objects.for_organisation(organisation).filter(pk=row.pk).update(
            created_at=start + datetime.timedelta(seconds=random.choice([0, 0, 1, 2.5]))
        )
    return list(ReferralInvite.objects.for_organisation(organisation))


def expected(rows, order):
    name, _sign, direction = order.partition("=")
    if not name:
        name, direction = "order[createdAt]", "desc"
    paths = {
        "createdAt": lambda r: r.created_at,
        "completedAt": lambda r: r.completed_at,
        "contact": lambda r: r.contact.name,
    }
    value = paths[name[6:-1]]
    having = sorted(
        (r for r in rows if value(r) is not None),
        key=lambda r: (value(r), r.pk),
        reverse=direction == "desc",
    )
    lacking = sorted((r for r in rows if value(r) is None), key=lambda r: -r.pk)
    return [r.pk for r in [*having, *lacking]]


def test_pages_are_plain_arrays_of_30_newest_first(api, organisation):
    rows = some(organisation, 31)
    answer = api.get("/samples")
    assert ids(answer) == expected(rows, "")[:30]
    assert ids(api.get("/samples?page=2")) == expected(rows, "")[30:]
    assert ids(api.get("/samples?page=3")) == []


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 5, 20])
def test_links_lead_through_everything_and_back(api, organisation, order, size):
    now = timezone.now()
    rows = some(
        organisation,
        10,
        completed=lambda n: None if n % 2 else now + datetime.timedelta(seconds=n // 4),
    )
    wanted = expected(rows, order)
    answer = api.get(f"/samples?itemsPerPage={size}&{order}")
    pages, found = [ids(answer)], links(answer)
    assert "prev" not in found
    while "next" in found:
        answer = api.get(found["next"])
        pages.append(ids(answer))
        found = links(answer)
    assert [pk for page in pages for pk in page] == wanted
    back = [pages[-1]]
    while "prev" in found:
        answer = api.get(found["prev"])
        back.append(ids(answer))
        found = links(answer)
        assert "next" in found
    assert back[::-1] == pages
    assert ids(api.get(found["first"])) == pages[0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 3, 4, 20])
def test_page_numbers_lead_through_everything(api, organisation, order, size):
    now = timezone.now()
    rows = some(organisation, 10, completed=lambda n: now if n < 5 else None)
    found = []
    for page in range(1, 12):
        found += ids(api.get(f"/samples?itemsPerPage={size}&page={page}&{order}"))
    assert found == expected(rows, order)


@given(data=st.data())
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_walk_by_next_and_prev_stays_in_the_order(api, organisation, data):
    ReferralInvite.objects.for_organisation(organisation).delete()
    moments = st.none() | st.integers(0, 3)
    values = data.draw(st.lists(moments, min_size=1, max_size=9))
    now = timezone.now()
    rows = some(
        organisation,
        len(values),
        completed=lambda n: (
            None if values[n] is None else now + datetime.timedelta(microseconds=values[n])
        ),
    )
    order, size = data.draw(st.sampled_from(ORDERS)), data.draw(st.integers(1, 4))
    wanted = expected(rows, order)
    answer, at = api.get(f"/samples?itemsPerPage={size}&{order}"), 0
    for step in data.draw(st.lists(st.sampled_from(["next", "prev"]), max_size=8)):
        assert ids(answer) == wanted[at : at + size]
        if step not in links(answer):
            assert at + size >= len(wanted) if step == "next" else at == 0
            continue
        at += size if step == "next" else -size
        answer = api.get(links(answer)[step])
    assert ids(answer) == wanted[at : at + size]


def test_rows_that_come_or_go_meanwhile_shift_nothing(api, organisation):
    rows = some(organisation, 6)
    wanted = expected(rows, "")
    first = api.get("/samples?itemsPerPage=3")
    late = invite(organisation)
    ReferralInvite.objects.for_organisation(organisation).filter(pk=late.pk).update(
        created_at=timezone.now() + datetime.timedelta(hours=1)
    )
    ReferralInvite.objects.for_organisation(organisation).filter(pk=wanted[2]).delete()
    assert ids(api.get(links(first)["next"])) == wanted[3:]


def test_links_keep_the_filters_and_are_absolute(api, organisation):
    some(organisation, 3)
    answer = api.get("/samples?itemsPerPage=1&status=Pending&code[]=&order[createdAt]=asc")
    assert answer.status_code == 400
    codes = [row.code for row in ReferralInvite.objects.for_organisation(organisation)]
    query = "&".join(f"code[]={code}" for code in codes)
    answer = api.get(f"/samples?itemsPerPage=1&{query}&order[createdAt]=asc")
    assert "<http://testserver/api/samples?" in answer.headers["Link"]
    following = links(answer)["next"]
    assert following.count("code%5B%5D=") == 3
    assert "order%5BcreatedAt%5D=asc" in following
    assert "page=" not in following.replace("itemsPerPage=", "")


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=",
        "page=1.5",
        "page=%00",
        "page=" + "9" * 40,
        "page=1&page=2",
        "itemsPerPage=0",
        "itemsPerPage=1001",
        "itemsPerPage=x",
        "itemsPerPage=-5",
        "itemsPerPage=١",
        "cursor=",
        "cursor=x",
        "cursor=é",
        "cursor=W10",
        "cursor=bnVsbA",
        "count=maybe",
        "order[createdAt]=up",
        "order[createdAt]=",
        "order[code]=asc",
        "order[createdAt]=asc&order[createdAt]=desc",
        "order[createdAt]=asc&order[contact]=desc",
        "page=335",
        "page=11&itemsPerPage=1000",
    ],
)
def test_what_no_page_can_be_is_400_that_names_it(api, query):
    answer = api.get(f"/samples?{query}")
    assert answer.status_code == 400, answer.content
    named = answer.json()["violations"][0]["propertyPath"]
    assert named in query


def test_past_10000_rows_the_cursor_is_pointed_at(api):
    assert "cursor" in api.get("/samples?page=101&itemsPerPage=100").json()["detail"]
    assert api.get("/samples?page=100&itemsPerPage=100").status_code == 200


@pytest.mark.parametrize("order", ["order[createdAt]=asc", "order[completedAt]=asc"])
def test_a_cursor_of_another_order_is_400(api, organisation, order):
    some(organisation, 3)
    cursor = links(api.get("/samples?itemsPerPage=1"))["next"].partition("cursor=")[2]
    answer = api.get(f"/samples?cursor={cursor}&{order}")
    assert answer.status_code == 400
    assert answer.json()["violations"][0]["propertyPath"] == "cursor"
    assert api.get(f"/samples?cursor={cursor}&page=1").status_code == 400


def test_a_cursor_tells_nothing_of_another_organisation(api, organisation, other_organisation):
    some(other_organisation, 3)
    some(organisation, 3)
    assert len(ids(api.get("/samples"))) == 3


def test_the_count_is_told_when_asked_for(api, organisation):
    some(organisation, 3, completed=lambda n: timezone.now() if n else None)
    assert "X-Total-Count" not in api.get("/samples").headers
    assert "X-Total-Count" not in api.get("/samples?count=false").headers
    answer = api.get("/samples?count=true&itemsPerPage=1&order[completedAt]=asc")
    assert answer.headers["X-Total-Count"] == "3"


def test_a_page_costs_one_query_and_two_where_it_spans_phases(
    api, organisation, django_assert_num_queries
):
    some(organisation, 6, completed=lambda n: timezone.now() if n < 3 else None)
    api.get("/samples")
    with django_assert_num_queries(2):  # the key; the page
        api.get("/samples?itemsPerPage=2")
    with django_assert_num_queries(2):  # the key; the page
        answer = api.get("/samples?itemsPerPage=2&order[completedAt]=asc")
    with django_assert_num_queries(3):  # the key; those completed; the others
        api.get(links(answer)["next"])
