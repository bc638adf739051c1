"""What every operation's description refers to: headers, parameters, problems.

Nothing of Django here: crm.settings reads it.
"""

from __future__ import annotations

from typing import Any

PROBLEM = "application/problem+json"

PROBLEMS = {
    "400": ("BadRequest", "The body is not JSON, or a query parameter cannot be used."),
    "401": ("Unauthorized", "The API key is missing, unknown, expired or revoked."),
    "403": ("Forbidden", "The key lacks the scope, or the member of staff the permission."),
    "404": ("NotFound", "There is nothing at this address in your organisation."),
    "409": ("Conflict", "This contradicts what is there; `ids` names the rows at odds."),
    "412": ("PreconditionFailed", "The row has changed since it was read."),
    "413": ("TooLarge", "The body is larger than 5 MB."),
    "415": ("UnsupportedMediaType", "The body is not `application/json`."),
    "422": ("Unprocessable", "Some values cannot be taken; `violations` names each."),
    "429": ("TooManyRequests", "Past the rate limit of this key."),
    "503": ("Unavailable", "The database is busy; try again."),
}
_WITH_RETRY_AFTER = {"409", "429", "503"}
LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def _text(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


def _integer(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "integer"}}


HEADERS: dict[str, Any] = {
    "RateLimit-Limit": _integer("Requests that this key may make in a window."),
    "RateLimit-Remaining": _integer("Requests that are left in this window."),
    "RateLimit-Reset": _integer("Seconds until the window ends."),
    "Retry-After": _integer("Seconds to wait."),
    "ETag": _text("Changes with the resource; for `If-Match` and `If-None-Match`."),
    "Location": _text("Address of the resource."),
    "Link": _text('Addresses of other pages: rel="next", "prev", "first".'),
    "X-Total-Count": _integer("Number of rows, when `count=true` asked for it."),
    "Idempotent-Replayed": _text("`true` when this is the answer of an earlier request."),
    "Allow": _text("The methods that there are."),
}

PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A word of yours for this request. Sent again within 24 hours, it has no "
        "further effect and is answered as before.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` that you read: 412 when the row has changed since.",
        "schema": {"type": "string"},
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` that you have: 304 when it is still that.",
        "schema": {"type": "string"},
    },
}

SCHEMAS: dict[str, Any] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string"},
            "violations": {"type": "array", "items": {"$ref": "#/components/schemas/Violation"}},
            "ids": {"type": "array", "items": {"type": "integer"}},
        },
    },
    "Violation": {
        "type": "object",
        "required": ["propertyPath", "message", "code"],
        "properties": {
            "propertyPath": {"type": "string", "examples": ["addresses[0].country"]},
            "message": {"type": "string"},
            "code": {"type": "string"},
        },
    },
    "BatchAnswer": {
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["index", "status"],
                    "properties": {
                        "index": {"type": "integer"},
                        "status": {"type": "integer"},
                        "id": {"type": "integer"},
                        "detail": {"type": "string"},
                        "ids": {"type": "array", "items": {"type": "integer"}},
                        "violations": {
                            "type": "array",
                            "items": {"$ref": "#/components/schemas/Violation"},
                        },
                    },
                },
            }
        },
    },
}


def header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _problem(status: str, description: str) -> dict[str, Any]:
    names = [*LIMITS, *(["Retry-After"] if status in _WITH_RETRY_AFTER else [])]
    return {
        "description": description,
        "headers": {name: header(name) for name in names if status != "401"},
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


COMPONENTS: dict[str, Any] = {
    "schemas": SCHEMAS,
    "headers": HEADERS,
    "parameters": PARAMETERS,
    "responses": {
        name: _problem(status, description) for status, (name, description) in PROBLEMS.items()
    },
}
