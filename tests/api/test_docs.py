"""The description at /api/schema and the page at /api/docs."""

import json
import re

import pytest
from django.test import Client
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.conftest import ApiClient


@pytest.fixture(scope="module")
def schema():
    return json.loads(Client().get("/api/schema").content)


def test_the_description_is_valid_openapi_3_1(schema):
    assert schema["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(schema).validate()


def test_every_operation_tells_its_problems_and_limits(schema):
    assert schema["paths"]
    for path, operations in schema["paths"].items():
        assert path.startswith("/api/")
        assert not path.endswith("/")
        for method, operation in operations.items():
            where = f"{method} {path}"
            responses = operation["responses"]
            assert {"400", "401", "403", "429"} <= set(responses), where
            assert ("404" in responses) >= ("{" in path), where
            if method in {"post", "put", "patch"}:
                assert {"413", "415", "422"} <= set(responses), where
            if method == "post":
                names = [p.get("$ref", "").rpartition("/")[2] for p in operation["parameters"]]
                assert "IdempotencyKey" in names, where
            for status, response in responses.items():
                if status.startswith("2"):
                    assert "RateLimit-Limit" in response["headers"], where
            assert operation["security"] == [{"apiKey": []}, {"staff": []}], where
            assert operation.get("description"), where


def test_a_list_tells_its_pages(schema):
    operation = schema["paths"]["/api/contacts"]["get"]
    names = {parameter.get("name") for parameter in operation["parameters"]}
    assert {"page", "itemsPerPage", "cursor", "count"} <= names
    assert {"Link", "X-Total-Count"} <= set(operation["responses"]["200"]["headers"])


def test_references_lead_somewhere(schema):
    text = json.dumps(schema)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found = schema
        for part in reference.split("/"):
            found = found[part]


def test_the_page_calls_no_outside_host(db):
    client = Client()
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    html = page.content.decode()
    script = re.search(r'<script src="(/api/docs\?[^"]*)"', html)[1].replace("&amp;", "&")
    told = client.get(script)
    assert told.status_code == 200
    assert "javascript" in told.headers["Content-Type"]
    for text in (html, told.content.decode()):
        assert "http://" not in text
        assert "https://" not in text
    assert "<script>" not in html
    policy = page.headers["Content-Security-Policy"]
    scripts = re.search(r"(script-src|default-src) ([^;]*)", policy)
    assert scripts
    assert "unsafe" not in scripts[2]
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        assert client.get(address).status_code == 200


def test_the_page_and_the_description_answer_with_a_slash_too(db):
    assert Client().get("/api/docs/").status_code == 200
    assert Client().get("/api/schema/").status_code == 200


def test_the_description_is_only_read(db):
    answer = ApiClient().post("/schema")
    assert answer.status_code == 405
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Allow"] == "GET, HEAD"
