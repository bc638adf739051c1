"""/segments: saved rules, whose tag is on the contacts for which they hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts import segments, services
from contacts.models import Contact, ContactTag, Segment, SegmentCheck
from contacts.segments import refreshing
from contacts.signals import segment_changed

ORDERS = {"all": [{"field": "contact.totalOrders", "operator": "gte", "value": 2}]}
VISITED = {
    "all": [
        {
            "field": "activities",
            "operator": "count_gte",
            "value": 1,
            "where": {"type": "Checked in", "within": "P90D"},
        }
    ]
}
NAMED_JO = {"all": [{"field": "contact.firstName", "operator": "starts_with", "value": "Jo"}]}


def work() -> int:
    """What the worker does, until nothing is left."""
    looked = 0
    while done := segments.refresh_due():
        looked += done
    return looked


def person(api: Any, name: str, **values: Any) -> int:
    body = {"emailAddress": f"{name}@example.com", "firstName": name, **values}
    return int(api.post("/contacts", body).json()["id"])


def happens(api: Any, contact: int, type: str = "Purchase", **values: Any) -> int:
    body = {
        "contact": contact,
        "type": type,
        "source": "till",
        "happenedAt": timezone.now().isoformat(timespec="seconds"),
        **values,
    }
    answer = api.post("/activities", body)
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


def segment(api: Any, name: str, rules: Any) -> int:
    answer = api.post("/segments", {"name": name, "rules": rules})
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


def members(api: Any, pk: int) -> list[int]:
    listed = [one["id"] for one in api.get(f"/segments/{pk}/contacts").json()]
    assert listed == [one["id"] for one in api.get(f"/contacts?segment={pk}").json()]
    told = api.get(f"/segments/{pk}").json()
    assert told["contactCount"] == len(listed)
    return sorted(listed)


@pytest.fixture
def heard(db: None) -> Any:
    """What `segment_changed` told, as (name, sorted contacts, entered)."""
    told: list[tuple[str, list[int], bool]] = []

    def note(segment: Segment, contact_ids: list[int], entered: bool, **kwargs: Any) -> None:
        told.append((segment.name, sorted(contact_ids), entered))

    segment_changed.connect(note)
    yield told
    segment_changed.disconnect(note)


def test_a_new_segment_finds_those_who_fit_already(api: Any, heard: Any) -> None:
    jo, _ann = person(api, "Jo"), person(api, "Ann")

    made = api.post("/segments", {"name": "Jos", "rules": NAMED_JO}).json()
    assert (made["status"], made["contactCount"]) == ("refreshing", 0)
    assert made["tag"]["kind"] == "segment"
    work()

    assert members(api, made["id"]) == [jo]
    assert api.get(f"/segments/{made['id']}").json()["status"] == "current"
    assert [tag["name"] for tag in api.get(f"/contacts/{jo}").json()["tags"]] == ["Jos"]
    assert heard == [("Jos", [jo], True)]


def test_contacts_come_and_go_as_activities_do(api: Any, heard: Any) -> None:
    regulars = segment(api, "Regulars", ORDERS)
    jo = person(api, "Jo")
    work()
    first = happens(api, jo)
    work()
    assert members(api, regulars) == []

    happens(api, jo)
    work()
    assert members(api, regulars) == [jo]
    happens(api, jo)  # a third makes no difference
    work()
    api.delete(f"/activities/{first}")
    work()
    assert members(api, regulars) == [jo]
    api.patch(f"/activities/{first + 1}", {"type": "Login"})
    work()

    assert members(api, regulars) == []
    assert heard == [("Regulars", [jo], True), ("Regulars", [jo], False)]


def test_every_kind_of_change_is_followed(api: Any) -> None:
    api.post("/custom-fields", {"label": "Diet", "type": "Text"})
    rules = {
        "any": [
            {"field": "contact.customFields.diet", "operator": "eq", "value": "vegan"},
            {"field": "contact.tags", "operator": "contains", "value": "VIP"},
            {"field": "contact.addresses.city", "operator": "eq", "value": "Bath"},
            {"field": "contact.name", "operator": "contains", "value": "smith"},
        ]
    }
    wanted = segment(api, "Wanted", rules)
    jo = person(api, "Jo")

    def now(expected: list[int]) -> None:
        work()
        assert members(api, wanted) == expected

    now([])
    api.patch(f"/contacts/{jo}/custom-fields", {"diet": "Vegan"})
    now([jo])
    api.patch(f"/contacts/{jo}", {"customFields": {"diet": None}})
    now([])
    api.put(f"/contacts/{jo}/tags/vip")
    now([jo])
    api.delete(f"/contacts/{jo}/tags/VIP")
    now([])
    api.patch(f"/contacts/{jo}", {"addresses": [{"city": "BATH"}]})
    now([jo])
    api.post("/contacts/batch", {"contacts": [{"emailAddress": "jo@example.com", "addresses": []}]})
    now([])
    other = person(api, "Ann", lastName="Smith")
    now([other])
    api.post(f"/contacts/{jo}/merge", {"contact": other})  # whose last name Jo takes
    now([jo])
    api.post(f"/contacts/{jo}/unmerge", {"contact": other})
    now([other])
    api.post(f"/contacts/{other}/redact")
    now([])


def test_a_deleted_contact_is_no_longer_counted(api: Any) -> None:
    jos = segment(api, "Jos", NAMED_JO)
    jo, joan = person(api, "Jo"), person(api, "Joan")
    work()
    assert members(api, jos) == [jo, joan]

    api.delete(f"/contacts/{jo}")
    work()

    assert members(api, jos) == [joan]


def test_what_time_alone_changes_is_swept(api: Any, heard: Any) -> None:
    start = timezone.now()
    jo = person(api, "Jo")
    happens(api, jo, "Checked in")
    visitors = segment(api, "Visitors", VISITED)
    work()
    assert members(api, visitors) == [jo]

    with time_machine.travel(start + timedelta(days=89), tick=False):
        work()
        assert members(api, visitors) == [jo]
    with time_machine.travel(start + timedelta(days=91), tick=False):
        work()
        assert members(api, visitors) == []
    assert heard == [("Visitors", [jo], True), ("Visitors", [jo], False)]


def test_another_rule_is_followed_step_by_step(
    api: Any, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [person(api, name) for name in ("Jo", "Joan", "Ann", "Amy", "Al")]
    pk = segment(api, "Some", NAMED_JO)
    work()
    heard.clear()
    monkeypatch.setattr(refreshing._Step, "size", 2)
    monkeypatch.setattr(refreshing, "_learn", lambda *_args: None)

    rules = {"all": [{"field": "contact.firstName", "operator": "starts_with", "value": "A"}]}
    assert api.patch(f"/segments/{pk}", {"rules": rules}).json()["status"] == "refreshing"
    refreshing._refresh_some()
    # Killed here, another worker goes on.
    stored = Segment.objects.across_organisations().get()
    assert stored.done_up_to == people[1]
    assert refreshing._refresh_some() == 2
    work()

    assert members(api, pk) == sorted(people[2:])
    assert heard == [
        ("Some", people[:2], False),
        ("Some", people[2:4], True),
        ("Some", people[4:], True),
    ]


def test_segments_name_each_other(api: Any) -> None:
    jos = segment(api, "Jos", NAMED_JO)
    rules = {
        "all": [
            {"field": "contact.segments", "operator": "contains", "value": jos},
            {"field": "contact.totalOrders", "operator": "gte", "value": 1},
        ]
    }
    buyers = segment(api, "Jos who buy", rules)
    tagged = segment(
        api, "By tag", {"any": [{"field": "contact.tags", "operator": "contains", "value": "JOS"}]}
    )
    jo = person(api, "Jo")
    happens(api, jo)
    work()
    assert members(api, buyers) == members(api, tagged) == [jo]

    refused = api.delete(f"/segments/{jos}")
    assert refused.status_code == 409
    assert sorted(refused.json()["ids"]) == [buyers, tagged]
    api.patch(
        f"/segments/{jos}",
        {"rules": {"all": [{"field": "contact.firstName", "operator": "eq", "value": "Ann"}]}},
    )
    work()
    assert members(api, jos) == members(api, buyers) == members(api, tagged) == []
    api.patch(f"/contacts/{jo}", {"firstName": "Ann"})
    work()
    assert members(api, jos) == members(api, buyers) == members(api, tagged) == [jo]


@pytest.mark.parametrize("through", ["contact.segments", "contact.tags"])
def test_no_rule_comes_back_to_itself(api: Any, through: str) -> None:
    first = segment(api, "First", NAMED_JO)

    def naming(pk: int, name: str) -> Any:
        value: Any = pk if through == "contact.segments" else name
        return {"any": [{"field": through, "operator": "contains", "value": value}]}

    second = segment(api, "Second", naming(first, "First"))
    third = segment(api, "Third", naming(second, "Second"))

    for pk, name in ((first, "First"), (second, "Second"), (third, "Third")):
        refused = api.patch(f"/segments/{first}", {"rules": naming(pk, name)})
        assert refused.status_code == 422, refused.content
        (violation,) = refused.json()["violations"]
        assert violation["code"] == "cycle"
        assert violation["propertyPath"].startswith("rules")


def test_its_tag_is_not_for_hands(api: Any) -> None:
    api.post("/tags", {"name": "Vip"})
    taken = api.post("/segments", {"name": "VIP", "rules": NAMED_JO})
    assert taken.status_code == 409
    segment(api, "Jos", NAMED_JO)
    jo = person(api, "Jo")
    work()

    assert api.delete(f"/contacts/{jo}/tags/Jos").status_code == 409
    assert api.put(f"/contacts/{jo}/tags/jos").status_code == 409
    tag = api.get("/tags?kind=segment").json()[0]["id"]
    assert api.delete(f"/tags/{tag}").status_code == 409


def test_renaming_renames_the_tag(api: Any) -> None:
    pk = segment(api, "Jos", NAMED_JO)
    jo = person(api, "Jo")
    work()

    told = api.patch(f"/segments/{pk}", {"name": "The Jos"}).json()

    assert (told["name"], told["tag"]["name"], told["status"]) == ("The Jos", "The Jos", "current")
    assert [tag["name"] for tag in api.get(f"/contacts/{jo}").json()["tags"]] == ["The Jos"]
    by_tag = {"all": [{"field": "contact.tags", "operator": "contains", "value": "the jos"}]}
    segment(api, "By tag", by_tag)
    assert api.patch(f"/segments/{pk}", {"name": "Others"}).status_code == 409


def test_deleting_takes_the_tag_off(api: Any, heard: Any) -> None:
    pk = segment(api, "Jos", NAMED_JO)
    jo = person(api, "Jo")
    work()
    heard.clear()

    assert api.delete(f"/segments/{pk}").status_code == 204

    assert api.get(f"/segments/{pk}").status_code == 404
    assert api.get(f"/contacts/{jo}").json()["tags"] == []
    assert heard == []
    person(api, "Joan")
    assert not SegmentCheck.objects.across_organisations().exists()


def test_contacts_without_tags_stay_where_they_are(api: Any) -> None:
    untagged = segment(
        api, "Untagged", {"all": [{"field": "contact.tags", "operator": "is_not_set"}]}
    )
    jo, joan = person(api, "Jo"), person(api, "Joan", tags=["VIP"])
    for _time in range(2):
        happens(api, jo)
        happens(api, joan)
        work()
        assert members(api, untagged) == [jo]


def test_a_rule_that_cannot_be_followed_says_so_and_stops_nobody(api: Any) -> None:
    field = api.post("/custom-fields", {"label": "Diet", "type": "Text"}).json()["id"]
    broken = segment(
        api,
        "Vegans",
        {"all": [{"field": "contact.customFields.diet", "operator": "eq", "value": "Vegan"}]},
    )
    jos = segment(api, "Jos", NAMED_JO)
    jo = person(api, "Jo", customFields={"diet": "Vegan"})
    work()
    assert members(api, broken) == members(api, jos) == [jo]

    api.delete(f"/custom-fields/{field}?force=true")
    joan = person(api, "Joan")
    work()

    told = api.get(f"/segments/{broken}").json()
    assert told["status"] == "broken"
    assert "contact.customFields.diet" in told["error"]
    assert members(api, broken) == [jo]
    assert members(api, jos) == [jo, joan]
    standing = api.get(f"/contacts/{jo}/segments").json()
    assert [one["holds"] for one in standing] == [True, None]


def test_how_a_contact_stands(api: Any) -> None:
    rules = {
        "all": [
            {"field": "contact.totalOrders", "operator": "gte", "value": 2},
            {"any": [{"field": "contact.tags", "operator": "contains", "value": "VIP"}]},
        ]
    }
    pk = segment(api, "Regular VIPs", rules)
    jo = person(api, "Jo", tags=["VIP", "Wine"])
    happens(api, jo)

    assert api.get(f"/contacts/{jo}/segments").json() == [
        {
            "segment": pk,
            "name": "Regular VIPs",
            "member": False,
            "holds": False,
            "clauses": [
                {
                    "path": "all.0",
                    "field": "contact.totalOrders",
                    "label": "Orders",
                    "operator": "gte",
                    "operatorLabel": "is at least",
                    "value": 2,
                    "found": 1,
                    "holds": False,
                    "said": "Orders is at least 2",
                    "foundSaid": "1",
                },
                {
                    "path": "all.1.any.0",
                    "field": "contact.tags",
                    "label": "Tags",
                    "operator": "contains",
                    "operatorLabel": "contains",
                    "value": "VIP",
                    "found": ["VIP", "Wine"],
                    "holds": True,
                    "said": "Tags contains VIP",
                    "foundSaid": "VIP, Wine",
                },
            ],
        }
    ]


def test_a_preview_counts_and_shows_some(api: Any) -> None:
    people = [person(api, f"Jo{number}") for number in range(12)]
    person(api, "Ann")

    told = api.post("/segments/preview", {"rules": NAMED_JO}).json()

    assert (told["count"], told["more"]) == (12, False)
    assert [one["id"] for one in told["contacts"]] == people[:1:-1]
    refused = api.post("/segments/preview", {"rules": {"all": [{"field": "contact.shoe"}]}})
    assert refused.json()["violations"][0]["propertyPath"] == "rules.all.0.field"


def test_another_organisation_keeps_to_itself(
    api: Any, api_for: Any, other_organisation: Any
) -> None:
    stranger = api_for(other_organisation)
    ours = segment(api, "Jos", NAMED_JO)
    theirs = segment(stranger, "Jos", NAMED_JO)
    jo, stranger_jo = person(api, "Jo"), person(stranger, "Jo")
    work()

    assert members(api, ours) == [jo]
    assert members(stranger, theirs) == [stranger_jo]
    foreign = {"all": [{"field": "contact.segments", "operator": "contains", "value": ours}]}
    refused = stranger.post("/segments", {"name": "Foreign", "rules": foreign})
    assert refused.status_code == 422
    assert stranger.get(f"/contacts?segment={ours}").json() == []


# What it costs.


def queries(ask: Any) -> list[str]:
    with CaptureQueriesContext(connection) as caught:
        response = ask()
    assert response.status_code < 300, response.content
    return [
        query["sql"]
        for query in caught
        if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))
    ]


def test_a_change_costs_one_insert_where_there_are_segments_and_nothing_where_there_are_none(
    api: Any,
) -> None:
    jo = person(api, "Jo")
    happened = timezone.now().isoformat(timespec="seconds")
    purchase = {"contact": jo, "type": "Purchase", "source": "till", "happenedAt": happened}
    numbers = iter(range(100))
    asks = [
        lambda: api.patch(f"/contacts/{jo}", {"lastName": f"No {next(numbers)}"}),
        lambda: api.post("/contacts", {"emailAddress": f"{next(numbers)}@example.com"}),
        lambda: api.post("/activities", purchase),
        lambda: api.put(f"/contacts/{jo}/tags/{next(numbers)}"),
        lambda: api.post(
            "/contacts/batch",
            {"contacts": [{"emailAddress": f"b{next(numbers)}@example.com"} for _n in range(9)]},
        ),
    ]
    before = [queries(ask) for ask in asks]
    for number in range(3):
        segment(api, f"Segment {number}", ORDERS)

    after = [queries(ask) for ask in asks]

    assert [len(now) - len(then) for now, then in zip(after, before, strict=True)] == [1] * 5
    table = SegmentCheck._meta.db_table
    assert [sum(table in sql for sql in then) for then in before] == [0] * 5
    assert [sum(table in sql for sql in now) for now in after] == [1] * 5


@pytest.mark.parametrize("number", [1, 6])
def test_lists_cost_the_same_whatever_their_length(api: Any, number: int) -> None:
    jo = person(api, "Jo")
    for n in range(number):
        segment(api, f"Segment {n}", {"all": [*ORDERS["all"], *VISITED["all"]]})
    work()

    # The key; the segments with their tags.
    assert len(queries(lambda: api.get("/segments"))) == 2
    # The key; the contact; the segments; its tags; own types of activity; totals; activities.
    standing = queries(lambda: api.get(f"/contacts/{jo}/segments"))
    assert len(standing) == 7


@pytest.mark.parametrize("number", [1, 40])
def test_a_check_costs_the_same_for_many_contacts(api: Any, number: int) -> None:
    segment(api, "Regulars", ORDERS)
    work()
    rows = [{"emailAddress": f"{n}@example.com"} for n in range(number)]
    api.post("/contacts/batch", {"contacts": rows})

    with CaptureQueriesContext(connection) as caught:
        assert refreshing._check_some() == number

    told = [q["sql"] for q in caught if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    told = [sql for sql in told if "jit" not in sql]  # a setting of PostgreSQL's
    # Any?; the first; its organisation; its segments; the checks; are all contacts there?; who
    # fits; who has the tag; the checks go.
    assert len(told) == 9


def test_its_tag_does_not_make_a_contact_updated(api: Any) -> None:
    jo = person(api, "Jo")
    before = api.get(f"/contacts/{jo}").json()["updatedAt"]
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        segment(api, "Jos", NAMED_JO)
        work()
        assert api.get(f"/contacts/{jo}").json()["updatedAt"] == before


def test_services_and_the_queue_agree_after_any_number_of_changes(
    api: Any, organisation: Any
) -> None:
    """Tags put on by the queue are those that a whole refresh would put on."""
    segment(api, "Regulars", ORDERS)
    segment(api, "Jos", NAMED_JO)
    for number in range(8):
        contact = person(api, "Jo" if number % 2 else "Ann" + str(number))
        for _order in range(number % 4):
            happens(api, contact)
    work()
    links = ContactTag.objects.for_organisation(organisation).order_by("tag", "contact")
    by_queue = list(links.values_list("tag", "contact"))
    everyone = Contact.objects.for_organisation(organisation)
    services.tag(contacts=everyone, name="Touched")
    Segment.objects.for_organisation(organisation).update(due_at=timezone.now(), done_up_to=0)
    work()
    links = links.filter(tag__kind="segment")
    assert list(links.values_list("tag", "contact")) == by_queue
    assert isinstance(Segment.objects.for_organisation(organisation)[0].refreshed_at, datetime)
