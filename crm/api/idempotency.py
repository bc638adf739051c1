"""The same POST twice is one effect, and one answer.

A request with an `Idempotency-Key` first leaves a running record, in a transaction of its own, so
that a second one sees it. Its effect and its answer are then committed together: a process killed
in between leaves no effect and a running record, which a retry takes over once the lease is past.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.api.errors import problem
from crm.api.models import IdempotentRequest

if TYPE_CHECKING:
    from crm.api.views import ApiView

HEADER = "HTTP_IDEMPOTENCY_KEY"
LONGEST_KEY = 255
KEPT = datetime.timedelta(hours=24)
LEASE = datetime.timedelta(seconds=60)
_KEPT_HEADERS = ("Content-Type", "Location", "ETag", "Cache-Control")
# Not the request's own answer: the same one may be allowed, or work, a moment later.
_NOT_KEPT = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})


class _TakenOver(Exception):
    """Another process finished this request while we were slower than the lease."""


class _Undone(Exception):
    """Roll back what the view did; its answer is an error all the same."""


def once(view: ApiView) -> HttpResponse:
    """Run the view, or answer as it did before.

    409 while the first request runs, 422 when the key was used for another request, 400 when the
    key is empty or too long. Never raises what the view raises. Costs two statements and a commit
    more than the view; a replay one read.
    """
    key = view.request.META[HEADER]
    path = view.request.path
    if not 1 <= len(key) <= LONGEST_KEY:
        return problem(
            HTTPStatus.BAD_REQUEST,
            _("An Idempotency-Key has 1 to %(most)s characters.") % {"most": LONGEST_KEY},
            instance=path,
        )
    record = _begin(view, key)
    if isinstance(record, HttpResponse):
        return record
    try:
        response = _run(view, record)
    except _TakenOver:
        return _still_running(path)
    except BaseException:
        _forget(record)
        raise
    if not _is_kept(response):
        _forget(record)
    return response


def prune_idempotent_requests() -> int:
    """Delete the records that are no longer replayed; the number of them. For the worker's
    schedule."""
    deleted, _by_model = IdempotentRequest.objects.filter(
        started_at__lt=timezone.now() - KEPT
    ).delete()
    return deleted


def _fingerprint(view: ApiView) -> str:
    request = view.request
    hashed = hashlib.sha256(f"{request.method} {request._request.get_full_path()}\n".encode())
    hashed.update(request._request.body)
    return hashed.hexdigest()


def _begin(view: ApiView, key: str) -> IdempotentRequest | HttpResponse:
    """A running record of our own, or the answer when the key was used already."""
    fingerprint = _fingerprint(view)
    record = IdempotentRequest(
        organisation_id=view.organisation.pk,
        key=key,
        fingerprint=fingerprint,
        started_at=_moment(),
    )
    try:
        with transaction.atomic():
            record.save(force_insert=True)
    except IntegrityError:
        return _again(view, record)
    return record


def _moment() -> datetime.datetime:
    """Now, told apart from another process's now: it is what says whose lease a record is."""
    return timezone.now().replace(microsecond=secrets.randbelow(1_000_000))


def _again(view: ApiView, record: IdempotentRequest) -> IdempotentRequest | HttpResponse:
    path = view.request.path
    found = IdempotentRequest.objects.filter(
        organisation_id=record.organisation_id, key=record.key
    ).first()
    if found is None:  # forgotten just now, so another try will find the way free
        return _still_running(path)
    age = timezone.now() - found.started_at
    if age < KEPT:
        if found.fingerprint != record.fingerprint:
            return problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                _("This Idempotency-Key was used for another request."),
                instance=path,
                violations=[],
            )
        if found.status is not None:
            return _replayed(found)
        if age < LEASE:
            return _still_running(path)
    # Too old to be replayed, or its process died: it is ours when nobody was quicker.
    taken = IdempotentRequest.objects.filter(pk=found.pk, started_at=found.started_at).update(
        started_at=record.started_at,
        fingerprint=record.fingerprint,
        status=None,
        headers={},
        body=b"",
    )
    if not taken:
        return _still_running(path)
    record.pk = found.pk
    return record


def _run(view: ApiView, record: IdempotentRequest) -> HttpResponse:
    answered: HttpResponse
    with transaction.atomic():
        try:
            with transaction.atomic():
                answered = view.answer()
                if answered.status_code >= HTTPStatus.BAD_REQUEST:
                    raise _Undone
        except _Undone:
            pass
        except Exception as error:
            answered = view.handle_exception(error)
        if _is_kept(answered) and not _own(record).update(
            status=answered.status_code,
            headers={
                name: answered.headers[name] for name in _KEPT_HEADERS if name in answered.headers
            },
            body=answered.content,
        ):
            raise _TakenOver
    return answered


def _own(record: IdempotentRequest) -> QuerySet[IdempotentRequest]:
    return IdempotentRequest.objects.filter(pk=record.pk, started_at=record.started_at)


def _is_kept(response: HttpResponse) -> bool:
    return (
        response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        and response.status_code not in _NOT_KEPT
    )


def _forget(record: IdempotentRequest) -> None:
    _own(record).delete()


def _replayed(record: IdempotentRequest) -> HttpResponse:
    response = HttpResponse(bytes(record.body), status=record.status)
    del response.headers["Content-Type"]
    for name, value in record.headers.items():
        response.headers[name] = value
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _still_running(path: str) -> HttpResponse:
    return problem(
        HTTPStatus.CONFLICT,
        _("A request with this Idempotency-Key is still running; try again in a moment."),
        instance=path,
        headers={"Retry-After": "1"},
        ids=[],
    )
