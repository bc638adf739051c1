"""What contacts agreed to be sent: over the API, through merges, and by the link in a message."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given as examples
from hypothesis import settings as trying
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from contacts import consent, services
from contacts.models import Contact, PermissionChange
from organisations.models import Organisation
from tests import factories

NOTHING = {"status": "unknown", "since": None, "source": None}
MAY = "2026-05-01T10:00:00+00:00"
JUNE = "2026-06-01T10:00:00+00:00"


def create(api: Any, **values: Any) -> dict[str, Any]:
    answer = api.post("/contacts", {"emailAddress": "jane@example.com", **values})
    assert answer.status_code == 201, answer.content
    told: dict[str, Any] = answer.json()
    return told


def stored(pk: int) -> Contact:
    found: Contact = Contact.objects.across_organisations().get(pk=pk)
    return found


def history(pk: int) -> list[tuple[str, str, str, str]]:
    changes = PermissionChange.objects.across_organisations().filter(contact=pk)
    return list(changes.order_by("id").values_list("channel", "before", "after", "source"))


# Over the API.


def test_nothing_is_known_of_a_new_contact(api: Any) -> None:
    told = create(api)

    assert told["permissions"] == {"email": NOTHING, "sms": NOTHING}
    contact = stored(told["id"])
    assert consent.permission_of(contact, "email") == consent.UNKNOWN
    assert consent.may_send(contact, "email")
    assert history(contact.pk) == []


def test_a_status_is_enough_and_the_time_is_now(api: Any) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    told = create(api, permissions={"email": "subscribed", "sms": "unsubscribed"})

    email, sms = told["permissions"]["email"], told["permissions"]["sms"]
    assert (email["status"], sms["status"]) == ("subscribed", "unsubscribed")
    assert before <= datetime.fromisoformat(email["since"]) <= datetime.now(UTC)
    contact = stored(told["id"])
    assert consent.may_send(contact, "email")
    assert not consent.may_send(contact, "sms")
    assert consent.may_send(contact, "sms", transactional=True)


def test_since_and_source_are_kept_and_told(api: Any) -> None:
    given = {"status": "subscribed", "since": MAY, "source": "web form"}
    pk = create(api, permissions={"email": given})["id"]

    assert api.get(f"/contacts/{pk}").json()["permissions"] == {"email": given, "sms": NOTHING}
    (listed,) = api.get("/contacts").json()
    assert listed["permissions"]["email"] == given


def test_a_patch_changes_what_it_names_and_leaves_a_line_of_history(api: Any) -> None:
    pk = create(api, permissions={"email": "subscribed", "sms": "subscribed"})["id"]

    told = api.patch(
        f"/contacts/{pk}",
        {"permissions": {"email": {"status": "unsubscribed", "source": "phone call"}}},
    ).json()

    assert told["permissions"]["email"]["status"] == "unsubscribed"
    assert told["permissions"]["email"]["source"] == "phone call"
    assert told["permissions"]["sms"]["status"] == "subscribed"
    assert history(pk) == [
        ("email", "unknown", "subscribed", ""),
        ("sms", "unknown", "subscribed", ""),
        ("email", "subscribed", "unsubscribed", "phone call"),
    ]
    assert api.patch(f"/contacts/{pk}", {"permissions": {"email": None}}).status_code == 200
    assert consent.permission_of(stored(pk), "email") == consent.UNKNOWN


def test_what_is_so_already_changes_nothing(api: Any) -> None:
    told = create(
        api, permissions={"email": {"status": "subscribed", "since": MAY, "source": "web form"}}
    )
    address = f"/contacts/{told['id']}"

    for permissions in (
        {"email": "subscribed"},
        {"email": {"status": "subscribed", "source": "till"}},
        told["permissions"],
        {},
        None,
    ):
        assert api.patch(address, {"permissions": permissions}).json() == told
    assert len(history(told["id"])) == 1
    # Told again later, it is so since then.
    renewed = {"status": "subscribed", "since": JUNE, "source": "paper"}
    again = api.patch(address, {"permissions": {"email": renewed}}).json()
    assert again["permissions"]["email"] == renewed
    assert again["updatedAt"] >= told["updatedAt"]


def test_what_was_so_before_what_is_known_changes_nothing(api: Any) -> None:
    """Two systems tell of the same person, the slower one of what was so last month."""
    pk = create(api, permissions={"email": {"status": "unsubscribed", "since": JUNE}})["id"]

    old = {"status": "subscribed", "since": MAY}
    told = api.patch(f"/contacts/{pk}", {"permissions": {"email": old}}).json()
    assert told["permissions"]["email"]["status"] == "unsubscribed"
    told = api.patch(f"/contacts/{pk}", {"permissions": {"email": "subscribed"}}).json()
    assert told["permissions"]["email"]["status"] == "subscribed"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_was_told_of_different_times_ends_the_same_in_any_order(
    api: Any, order: tuple[int, ...]
) -> None:
    told = [
        ("unsubscribed", "2026-04-01"),
        ("subscribed", "2026-05-01"),
        ("unsubscribed", "2026-06-01"),
    ]
    pk = create(api)["id"]
    for number in order:
        status, day = told[number]
        given = {"status": status, "since": f"{day}T10:00:00+00:00"}
        known = api.patch(f"/contacts/{pk}", {"permissions": {"email": given}}).json()

    assert known["permissions"]["email"]["status"] == "unsubscribed"
    assert known["permissions"]["email"]["since"] == JUNE


@pytest.mark.parametrize(
    ("permissions", "path", "code"),
    [
        ("subscribed", "permissions", "not_an_object"),
        ({"fax": "subscribed"}, "permissions.fax", "unknown_field"),
        ({"email": "yes"}, "permissions.email", "invalid_choice"),
        ({"email": True}, "permissions.email", "invalid_choice"),
        ({"email": ["subscribed"]}, "permissions.email", "invalid_choice"),
        ({"email": {"status": "yes"}}, "permissions.email", "invalid_choice"),
        ({"email": {}}, "permissions.email.status", "required"),
        ({"email": {"status": "subscribed", "by": "me"}}, "permissions.email.by", "unknown_field"),
        (
            {"email": {"status": "subscribed", "since": "2026-05-01"}},
            "permissions.email.since",
            "offset_missing",
        ),
        (
            {"email": {"status": "subscribed", "since": "2999-01-01T00:00:00Z"}},
            "permissions.email",
            "in_the_future",
        ),
        (
            {"email": {"status": "subscribed", "source": "x" * 101}},
            "permissions.email",
            "max_length",
        ),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_is_written(
    api: Any, permissions: Any, path: str, code: str
) -> None:
    answer = api.post("/contacts", {"emailAddress": "a@example.com", "permissions": permissions})

    assert answer.status_code == 422
    (violation,) = answer.json()["violations"]
    assert (violation["propertyPath"], violation["code"]) == (path, code)
    assert api.get("/contacts").json() == []


def test_a_batch_writes_permissions_at_a_fixed_cost(api: Any) -> None:
    def batch(number: int, status: str) -> int:
        rows = [
            {"emailAddress": f"{n}-{number}@example.com", "permissions": {"email": status}}
            for n in range(number)
        ]
        with CaptureQueriesContext(connection) as queries:
            answer = api.post("/contacts/batch", {"contacts": rows}).json()
        assert {row["status"] for row in answer["results"]} <= {200, 201}
        return len(queries)

    api.get("/contacts")  # notes when the key was last used
    assert batch(2, "subscribed") == batch(30, "subscribed")
    assert batch(2, "unsubscribed") == batch(30, "unsubscribed")
    listed = api.get("/contacts?permissions[email]=unsubscribed&count=true")
    assert listed.headers["X-Total-Count"] == "32"


def test_contacts_are_found_by_permission(api: Any) -> None:
    for status in ("subscribed", "unsubscribed", "unknown"):
        create(api, emailAddress=f"{status}@example.com", permissions={"sms": status})
    create(api, emailAddress="nothing@example.com")

    def found(query: str) -> set[str]:
        return {
            one["emailAddress"].partition("@")[0] for one in api.get(f"/contacts?{query}").json()
        }

    assert found("permissions[sms]=subscribed") == {"subscribed"}
    assert found("permissions[sms]=unsubscribed") == {"unsubscribed"}
    assert found("permissions[sms]=unknown") == {"unknown", "nothing"}
    assert found("permissions[email]=subscribed") == set()
    for query in ("permissions[fax]=unknown", "permissions[sms]=yes", "permissions=unknown"):
        answer = api.get(f"/contacts?{query}")
        assert answer.status_code == 400
        assert answer.json()["violations"][0]["propertyPath"] == query.partition("=")[0]


# Through merges, redaction and deletion.


def merge(api: Any, survivor: int, absorbed: int) -> Any:
    return api.post(f"/contacts/{survivor}/merge", {"contact": absorbed})


def unmerge(api: Any, survivor: int, absorbed: int) -> Any:
    return api.post(f"/contacts/{survivor}/unmerge", {"contact": absorbed})


STATUSES = ("subscribed", "unsubscribed", "unknown", None)


@pytest.mark.parametrize("theirs", STATUSES)
@pytest.mark.parametrize("mine", STATUSES)
def test_a_merge_keeps_the_stricter_and_undone_gives_back(
    api: Any, mine: str | None, theirs: str | None
) -> None:
    def make(name: str, status: str | None) -> int:
        permissions = {"email": {"status": status, "source": name}} if status else {}
        return int(create(api, emailAddress=f"{name}@example.com", permissions=permissions)["id"])

    survivor, absorbed = make("mine", mine), make("theirs", theirs)
    before = [api.get(f"/contacts/{pk}").json()["permissions"] for pk in (survivor, absorbed)]

    merged = merge(api, survivor, absorbed).json()["permissions"]["email"]

    known = {status for status in (mine, theirs) if status not in (None, "unknown")}
    expected = min(known, key=["unsubscribed", "subscribed"].index) if known else "unknown"
    assert merged["status"] == expected
    unmerge(api, survivor, absorbed)
    after = [api.get(f"/contacts/{pk}").json()["permissions"] for pk in (survivor, absorbed)]
    assert after == before


def test_who_unsubscribes_while_merged_is_written_to_as_neither(api: Any) -> None:
    survivor = create(api, permissions={"email": "subscribed"})["id"]
    absorbed = create(api, emailAddress="twin@example.com", permissions={"email": "subscribed"})
    merge(api, survivor, absorbed["id"])
    api.patch(f"/contacts/{survivor}", {"permissions": {"email": "unsubscribed"}})

    unmerge(api, survivor, absorbed["id"])

    for pk in (survivor, absorbed["id"]):
        assert not consent.may_send(stored(pk), "email")


def test_a_redacted_contact_stays_unsubscribed_and_the_rest_goes(api: Any) -> None:
    pk = create(
        api,
        permissions={
            "email": {"status": "unsubscribed", "source": "called Jane"},
            "sms": {"status": "subscribed", "source": "Jane's form"},
        },
    )["id"]

    told = api.post(f"/contacts/{pk}/redact").json()

    assert told["permissions"]["email"]["status"] == "unsubscribed"
    assert told["permissions"]["email"]["source"] is None
    assert told["permissions"]["sms"] == NOTHING
    assert {source for *_what, source in history(pk)} == {""}
    assert not consent.may_send(stored(pk), "sms")
    refused = api.patch(f"/contacts/{pk}", {"permissions": {"sms": "subscribed"}})
    assert refused.status_code == 409
    consent.set_permission(contact=stored(pk), channel="sms", status="unsubscribed")
    assert consent.permission_of(stored(pk), "sms") == consent.UNSUBSCRIBED


def test_permissions_go_with_the_contact(api: Any) -> None:
    pk = create(api, permissions={"email": "subscribed"})["id"]

    assert api.delete(f"/contacts/{pk}").status_code == 204
    assert history(pk) == []


class TestHistory(TestCase):
    """What is known now is what the history's last line says."""

    @trying(deadline=None)
    @examples(
        st.lists(
            st.tuples(
                st.sampled_from(["email", "sms"]),
                st.sampled_from(["subscribed", "unsubscribed", "unknown"]),
                st.one_of(st.none(), st.integers(0, 50)),
            ),
            max_size=12,
        )
    )
    def test_the_history_adds_up(self, told: list[tuple[str, str, int | None]]) -> None:
        organisation = factories.OrganisationFactory()
        contact, _created = services.upsert(
            organisation=organisation, values={"email_address": "jane@example.com"}
        )
        start = datetime(2026, 1, 1, tzinfo=UTC)
        model: dict[str, tuple[str, datetime | None]] = {}
        for channel, status, day in told:
            since = None if day is None else start + timedelta(days=day)
            given = {"status": status, "since": since}
            services.update(contact=contact, values={"permissions": {channel: given}})
            known, known_since = model.get(channel, ("unknown", None))
            newer = since is None or known_since is None or since >= known_since
            if newer and (known != status or (channel in model and since is not None)):
                model[channel] = (status, since or datetime.now(UTC))
        for channel in ("email", "sms"):
            lines = [line for line in history(contact.pk) if line[0] == channel]
            statuses = ["unknown", *(after for _channel, _before, after, _source in lines)]
            assert [before for _channel, before, _after, _source in lines] == statuses[:-1]
            assert consent.permission_of(contact, channel) == statuses[-1]
            assert statuses[-1] == model.get(channel, ("unknown", None))[0]


# The link in a message.


@pytest.fixture
def contact(organisation: Organisation) -> Contact:
    """A contact that subscribed to both channels."""
    made, _created = services.upsert(
        organisation=organisation,
        values={
            "email_address": "jane@example.com",
            "permissions": {"email": "subscribed", "sms": "subscribed"},
        },
    )
    return made


def path(contact: Contact, channel: str = "email", run: int | None = None) -> str:
    return consent.unsubscribe_url(contact, channel, run).removeprefix(settings.SITE_URL)


@pytest.fixture
def guest(db: None) -> Client:
    """Somebody without a cookie, who cannot pass Django's CSRF check."""
    return Client(enforce_csrf_checks=True)


def test_the_link_is_absolute(contact: Contact, settings: Any) -> None:
    settings.SITE_URL = "https://crm.example.com"

    address = consent.unsubscribe_url(contact, "email")

    assert address.startswith("https://crm.example.com/unsubscribe/")
    assert len(address) < 200  # a mail's header line holds it


def test_looking_changes_nothing(contact: Contact, guest: Client) -> None:
    page = guest.get(path(contact))

    assert page.status_code == 200
    assert contact.organisation.name in page.text
    assert "<button" in page.text
    assert not page.cookies
    assert "Cookie" not in page.headers.get("Vary", "")
    assert consent.may_send(contact, "email")


def test_the_button_ends_messages_of_this_channel(contact: Contact, guest: Client) -> None:
    page = guest.post(path(contact, run=77))

    assert page.status_code == 200
    assert "<button" not in page.text
    assert not page.cookies
    assert not consent.may_send(contact, "email")
    assert consent.may_send(contact, "sms")
    latest = contact.permission_changes.first()
    assert (latest.source, latest.run) == ("unsubscribe link", 77)
    # Again changes nothing, and looking tells that it is done.
    assert guest.post(path(contact)).status_code == 200
    assert "<button" not in guest.get(path(contact)).text
    assert contact.permission_changes.count() == 3


def test_a_mail_program_posts_by_itself(contact: Contact, guest: Client) -> None:
    """RFC 8058, 3.2: a POST with this body, without cookies, as a form of either kind."""
    kinds = {"application/x-www-form-urlencoded": "List-Unsubscribe=One-Click"}
    for content_type, body in kinds.items():
        answer = guest.post(path(contact), body, content_type=content_type)
        assert answer.status_code == 200
    assert guest.post(path(contact, "sms"), {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not consent.may_send(contact, "email")
    assert not consent.may_send(contact, "sms")


def test_a_wrong_link_is_404(contact: Contact, guest: Client) -> None:
    good = path(contact)
    other = path(contact, "sms")
    token, signature = good.rsplit(".", 1)
    mixed = f"{other.rsplit('.', 1)[0]}.{signature}"
    for wrong in ("/unsubscribe/x", f"{good}x", token, mixed, "/unsubscribe/W10.x"):
        for answer in (guest.get(wrong), guest.post(wrong)):
            assert answer.status_code == 404, wrong
            assert "Unsubscribe" not in answer.text
    assert consent.may_send(contact, "email")
    assert guest.put(good).status_code == 405


def test_a_merged_contacts_link_ends_messages_to_the_survivor_and_to_itself(
    api: Any, contact: Contact, guest: Client
) -> None:
    survivor = create(api, emailAddress="joan@example.com")["id"]
    merge(api, survivor, contact.pk)

    guest.post(path(contact))

    assert not consent.may_send(stored(survivor), "email")
    unmerge(api, survivor, contact.pk)
    assert not consent.may_send(stored(contact.pk), "email")


def test_a_contact_that_is_gone_is_not_written_to(
    api: Any, contact: Contact, guest: Client
) -> None:
    address = path(contact)
    services.delete(contact=contact)

    assert "<button" not in guest.get(address).text
    assert guest.post(address).status_code == 200
