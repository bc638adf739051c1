"""ETag, If-None-Match and If-Match: nobody overwrites what they have not seen."""

import pytest

from contacts.models import ReferralInvite
from tests.api.sample import invite

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


@pytest.fixture
def path(organisation):
    return f"/samples/{invite(organisation, code='A').pk}"


def test_a_single_answer_has_an_etag_that_changes_with_it(api, path):
    first = api.get(path).headers["ETag"]
    assert api.get(path).headers["ETag"] == first
    changed = api.patch(path, {"code": "B"}).headers["ETag"]
    assert changed != first
    assert api.get(path).headers["ETag"] == changed


def test_what_the_client_has_is_304(api, path):
    tag = api.get(path).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = api.get(path, headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == tag
    assert api.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_fitting_if_match_writes(api, path):
    tag = api.get(path).headers["ETag"]
    answer = api.patch(path, {"code": "B"}, headers={"if-match": f'"x", {tag}'})
    assert answer.status_code == 200
    assert api.patch(path, {"code": "C"}, headers={"if-match": "*"}).status_code == 200
    tag = api.get(path).headers["ETag"]
    assert api.delete(path, headers={"if-match": tag}).status_code == 204


@pytest.mark.parametrize("method", ["patch", "delete"])
@pytest.mark.parametrize("form", ["{}", "W/{}"])
def test_an_if_match_that_no_longer_fits_is_412(api, path, method, form):
    tag = api.get(path).headers["ETag"]
    if form == "{}":
        api.patch(path, {"code": "B"})
    answer = getattr(api, method)(path, headers={"if-match": form.format(tag)})
    assert answer.status_code == 412
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert ReferralInvite.objects.across_organisations().get().code in {"A", "B"}


def test_if_match_on_a_row_that_is_not_there_is_404(api):
    assert api.patch("/samples/1", {}, headers={"if-match": "*"}).status_code == 404


def test_lists_have_no_etag(api):
    assert "ETag" not in api.get("/samples").headers


def test_a_head_is_a_get_without_a_body(api, path):
    answer = api.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["ETag"] == api.get(path).headers["ETag"]
