"""GET /organisation tells the organisation that the key belongs to."""

import pytest

pytestmark = pytest.mark.django_db


def test_a_key_reads_its_own_organisation(api, organisation):
    answer = api.get("/organisation")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": organisation.pk,
        "name": organisation.name,
        "hashId": organisation.hash_id,
        "status": "Active",
        "currencyCode": "GBP",
        "country": "GB",
        "timezone": "Europe/London",
        "createdAt": organisation.created_at.isoformat(timespec="seconds"),
        "updatedAt": organisation.updated_at.isoformat(timespec="seconds"),
    }


def test_reading_it_costs_one_query(api, django_assert_num_queries):
    api.get("/organisation")  # notes the use of the key
    with django_assert_num_queries(1):  # the key and its organisation
        assert api.get("/organisation").status_code == 200
