"""Every error is a problem document, never HTML and never a 500."""

import json
from io import BytesIO

import pytest
from django.db import OperationalError
from django.test import Client

from contacts.models import ReferralInvite
from tests.api.sample import SampleViewSet, invite

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


def told(answer, status):
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) >= {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == status
    return problem


def codes(problem):
    return {(v["propertyPath"], v["code"]) for v in problem["violations"]}


@pytest.mark.parametrize(
    "path", ["/nothing", "/samples/1/nothing", "/samples/x", "/", "", "/docs/x"]
)
def test_an_unknown_address_is_404(api, path):
    told(api.get(f"/api{path}"), 404)


@pytest.mark.parametrize(
    "number", ["0", "99", "9223372036854775807", "9223372036854775808", "9" * 60]
)
def test_an_id_that_is_not_there_is_404(api, number):
    told(api.get(f"/samples/{number}"), 404)
    told(api.patch(f"/samples/{number}", {}), 404)
    told(api.delete(f"/samples/{number}"), 404)


def test_another_organisations_row_is_404(api, other_organisation):
    there = invite(other_organisation)
    told(api.get(f"/samples/{there.pk}"), 404)
    told(api.patch(f"/samples/{there.pk}", {"code": "mine"}), 404)
    told(api.delete(f"/samples/{there.pk}"), 404)
    assert ReferralInvite.objects.for_organisation(other_organisation).get().code != "mine"


@pytest.mark.parametrize("path", ["/samples", "/samples/", "/organisation", "/organisation/"])
def test_a_trailing_slash_changes_nothing(api, path):
    assert api.get(path).status_code == 200


def test_a_write_with_a_trailing_slash_is_not_redirected(api, organisation):
    contact = invite(organisation).contact
    answer = api.post("/samples/", {"contact": contact.pk, "code": "A"})
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/samples/{answer.json()['id']}"


def test_two_trailing_slashes_are_404(api):
    told(api.get("/api/samples//"), 404)


def test_a_method_that_is_not_there_is_405(api):
    answer = api.put("/samples", {})
    told(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST", "HEAD"}
    told(api.options("/samples"), 405)
    told(api.delete("/organisation"), 405)


def test_a_method_that_is_not_there_is_405_for_a_reading_key_too(organisation, api_for):
    told(api_for(organisation, ["contacts:read"]).put("/samples", {}), 405)


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff\xfe", b'{"a": "\xff"}', b'"\\ud800"', b"NaN", b"[" * 2000, b"{}{}"]
)
def test_malformed_json_is_400(api, body):
    if not body:
        assert api.post("/samples", body).status_code == 422  # nothing sent: keys are missing
    else:
        told(api.generic("POST", "/samples", body, "application/json"), 400)


def test_json_nested_too_deeply_is_400(api):
    body = b'{"data":' + b"[" * 300 + b"]" * 300 + b"}"
    told(api.generic("POST", "/samples", body, "application/json"), 400)


@pytest.mark.parametrize("body", [[], "text", 5, None, True, [{}]])
def test_json_that_is_not_an_object_is_422(api, body):
    told(api.generic("POST", "/samples", json.dumps(body), "application/json"), 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "garbage"])
def test_another_content_type_is_415(api, kind):
    told(api.generic("POST", "/samples", b'{"a": 1}', kind), 415)


def test_multipart_is_415(api):
    told(api.post("/samples", {"a": "1"}, content_type="multipart/form-data; boundary=x"), 415)


def test_html_is_never_answered(api):
    answer = api.get("/samples", headers={"accept": "text/html"})
    assert answer.headers["Content-Type"] == "application/json"
    told(api.get("/nothing", headers={"accept": "text/html"}), 404)


def test_an_unknown_host_is_a_problem_too(api, settings):
    settings.ALLOWED_HOSTS = ["crm.example.com"]
    told(api.get("/samples", headers={"host": "evil.example.com"}), 400)


def test_a_body_over_5_mb_is_413(api):
    body = b'{"code": "' + b"x" * (5 * 1024 * 1024) + b'"}'
    told(api.generic("POST", "/samples", body, "application/json"), 413)


def test_a_chunked_body_over_5_mb_is_413(api):
    answer = chunked(api, b'{"code": "' + b"x" * (5 * 1024 * 1024) + b'"}')
    told(answer, 413)


def test_a_chunked_body_is_read(api):
    assert codes(told(chunked(api, b'{"nothing": 1}'), 422)) >= {("nothing", "unknown_field")}


def chunked(api, body):
    return api.generic(
        "POST",
        "/samples",
        b"",
        "application/json",
        **{
            "wsgi.input": BytesIO(body),
            "HTTP_TRANSFER_ENCODING": "chunked",
            "CONTENT_LENGTH": "",
            "CONTENT_TYPE": "application/json",
        },
    )


def test_unknown_keys_are_422_that_names_each(api, organisation):
    contact = invite(organisation).contact
    problem = told(api.post("/samples", {"contact": contact.pk, "nme": 1, "email_address": 2}), 422)
    assert codes(problem) == {("nme", "unknown_field"), ("email_address", "unknown_field")}


def test_missing_and_bad_values_are_told_together_with_unknown_keys(api):
    problem = told(api.post("/samples", {"emailAddress": "no", "status": "Lost", "x": 1}), 422)
    assert codes(problem) == {
        ("contact", "required"),
        ("emailAddress", "invalid"),
        ("status", "invalid_choice"),
        ("x", "unknown_field"),
    }


def test_read_only_keys_are_422_unless_they_say_what_is_there(api, organisation):
    there = api.get(f"/samples/{invite(organisation).pk}").json()
    there["code"] = "CHANGED"
    answer = api.patch(f"/samples/{there['id']}", there)
    assert answer.status_code == 200
    assert answer.json() == there
    problem = told(api.patch(f"/samples/{there['id']}", {"id": 7, "createdAt": "x"}), 422)
    assert codes(problem) == {("id", "read_only"), ("createdAt", "read_only")}


@pytest.mark.parametrize("text", ["a\0b", "\0"])
def test_a_nul_character_is_422(api, text):
    problem = told(api.post("/samples", {"code": text}), 422)
    assert codes(problem) == {("code", "null_character")}
    problem = told(api.post("/samples/batch", {"samples": [{}, {"code": text}]}), 422)
    assert codes(problem) == {("samples[1].code", "null_character")}


@pytest.mark.parametrize(
    "value",
    [2**63, 2**64, 10**30, -(2**63) - 1, -1, 0, 1.5, True, "9" * 30, "x", [], {}, "/api/tags/1"],
)
def test_a_reference_that_names_nothing_is_422(api, value):
    problem = told(api.post("/samples", {"contact": value}), 422)
    assert {path for path, _code in codes(problem)} == {"contact"}


@pytest.mark.parametrize(
    "form",
    ["{}", "/api/contacts/{}", "/contacts/{}", "/contact/{}", "http://x.example/api/contacts/{}"],
)
def test_references_are_ids_or_addresses(api, organisation, form):
    contact = invite(organisation).contact
    given = contact.pk if form == "{}" else form.format(contact.pk)
    answer = api.post("/samples", {"contact": given, "code": "A"})
    assert answer.json()["contact"] == contact.pk


def test_a_reference_to_another_organisations_row_is_422_as_not_found(api, other_organisation):
    foreign = invite(other_organisation).contact
    problem = told(api.post("/samples", {"contact": foreign.pk}), 422)
    assert codes(problem) == {("contact", "not_found")}
    assert (
        told(api.post("/samples", {"contact": 10**15}), 422)["violations"][0]["code"] == "not_found"
    )


@pytest.mark.parametrize(
    "time", ["2026-04-07T14:30:00", "2026-04-07", "soon", 5, "0001-01-01T00:00:00+14:00"]
)
def test_a_time_without_offset_is_422(api, organisation, time):
    problem = told(api.post("/samples", {"contact": 1, "completedAt": time}), 422)
    assert "completedAt" in {path for path, _code in codes(problem)}


def test_times_are_told_in_utc_to_the_second(api, organisation):
    contact = invite(organisation).contact
    answer = api.post(
        "/samples",
        {"contact": contact.pk, "code": "A", "completedAt": "2026-04-07T16:30:00.75+02:00"},
    )
    assert answer.json()["completedAt"] == "2026-04-07T14:30:00+00:00"
    assert api.get(f"/samples/{answer.json()['id']}").content == answer.content


def test_a_conflict_is_409_with_the_ids(api, organisation):
    there = invite(organisation, code="A")
    answer = api.post("/samples", {"contact": there.contact_id, "code": "A", "status": "Pending"})
    assert told(answer, 409)["ids"] == [there.pk]


def test_unknown_query_parameters_are_400_that_names_them(api, organisation):
    there = invite(organisation)
    for answer in (
        api.get("/samples?nothing=1"),
        api.get(f"/samples/{there.pk}?page=1"),
        api.get("/organisation?a[b]=1"),
        api.post("/samples?status=Pending", {}),
        api.get("/samples?order[nothing]=asc"),
    ):
        problem = told(answer, 400)
        name = problem["violations"][0]["propertyPath"]
        assert name in {"nothing", "page", "a[b]", "status", "order[nothing]"}
        assert name in problem["detail"]


def test_declared_parameters_are_checked(api, organisation):
    contact = invite(organisation).contact
    body = {"contact": contact.pk, "code": "A"}
    assert api.post("/samples?onConflict=fail&dryRun=true", body).status_code == 201
    told(api.post("/samples?onConflict=maybe", body), 400)
    told(api.post("/samples?dryRun=perhaps", body), 400)


def test_an_error_of_ours_is_a_500_that_tells_nothing(api, organisation, caplog):
    contact = invite(organisation).contact
    api.raise_request_exception = False
    problem = told(api.post("/samples", {"contact": contact.pk, "code": "break"}), 500)
    assert "sample broke" not in json.dumps(problem)
    assert "sample broke" in caplog.text


def test_a_busy_database_is_503(api, monkeypatch):
    def busy(*args, **kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr(SampleViewSet, "get_queryset", busy)
    answer = api.get("/samples")
    told(answer, 503)
    assert answer.headers["Retry-After"] == "1"


def test_other_pages_keep_their_html(db):
    assert Client().get("/nothing").headers["Content-Type"].startswith("text/html")
