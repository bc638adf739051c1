"""The worker's share of the import wizard: stopping, going on, dying, forgetting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from contacts.models import Contact
from imports.files import delimited
from imports.models import Import
from imports.wizard import looking, services, working
from imports.wizard.models import FailedRow, Upload
from organisations.models import Organisation
from tests.factories import OrganisationFactory, UserFactory
from tests.imports.conftest import House
from tests.imports.wizard import check, counts, done, page, start, table, uploaded, work

pytestmark = pytest.mark.django_db

Stage = Upload.Stage
ROWS = 35


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "CHUNK_ROWS", 10)


@pytest.fixture
def upload(owner: Client, organisation: Organisation) -> Upload:
    """One that was rehearsed: every fifth row fails."""
    rows = ([f"a{n}@x.com" if n % 5 else f"bad {n}", f"A{n}"] for n in range(ROWS))
    made = uploaded(owner, table(["E-mail", "First name"], *rows))
    check(owner, made)
    assert counts(made) == (28, 0, 0, 7)
    services.start(one=made)
    return made


def people(organisation: Organisation) -> int:
    return Contact.objects.for_organisation(organisation).count()


class After:
    """Becomes true when it was asked so often."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def fails_after(monkeypatch: pytest.MonkeyPatch, batches: int, error: BaseException) -> None:
    """The worker meets `error` when it has written so many batches."""
    renew, left = working.Task._renew, [batches]

    def dying(task: Any, **values: Any) -> None:
        renew(task, **values)
        if "rows_done" in values:
            left[0] -= 1
            if left[0] == 0:
                raise error

    monkeypatch.setattr(working.Task, "_renew", dying)


def test_progress_is_told_while_it_runs(
    upload: Upload, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def look() -> bool:
        told.append(owner.get(page(upload, "state")).json())
        return False

    assert working.work(look)

    assert [state["rows"] for state in told] == [
        f"{rows} of about 35 rows" for rows in (10, 20, 30, 35)
    ]
    assert [state["percent"] for state in told] == [28, 57, 85, 99]
    assert told[1]["failed"] == "4 rows failed so far"
    assert "rows a second" in told[1]["rate"]
    assert "left" in told[1]["left"]
    after = owner.get(page(upload, "state")).json()
    assert (after["stage"], after["page"]) == ("done", page(upload, "report"))


def test_people_stop_it_and_have_it_go_on(
    upload: Upload, owner: Client, organisation: Organisation
) -> None:
    def stop() -> bool:
        if people(organisation) == 16:
            owner.post(page(upload, "run"), {"do": "stop"})
        return False

    working.work(stop)
    upload.refresh_from_db()
    assert upload.stage == Stage.STOPPED
    # The batch at hand was finished.
    assert people(organisation) == 24
    shown = owner.get(page(upload, "run")).content.decode()
    assert "It was stopped. What is in stays in" in shown
    assert "30 of about 35 rows" in shown
    work()
    assert people(organisation) == 24

    owner.post(page(upload, "run"), {"do": "on"})
    work()
    upload.refresh_from_db()
    assert done(upload) == (28, 0, 0, 7)
    assert (people(organisation), FailedRow.objects.count()) == (28, 7)


def test_one_that_no_worker_is_at_stops_at_once(upload: Upload, owner: Client) -> None:
    owner.post(page(upload, "run"), {"do": "stop"})
    work()
    upload.refresh_from_db()
    assert upload.stage == Stage.STOPPED


def test_what_was_stopped_is_undone_and_then_does_not_go_on(
    upload: Upload, owner: Client, organisation: Organisation
) -> None:
    working.work(After(2))
    upload.refresh_from_db()
    services.stop(one=upload)
    work()
    upload.refresh_from_db()
    assert upload.run is not None
    assert people(organisation) == 16

    from django.urls import reverse

    owner.post(
        reverse("admin:imports_import_undo_import", args=[upload.run.pk]), {"confirmed": "1"}
    )

    assert people(organisation) == 0
    upload.refresh_from_db()
    assert upload.stage == Stage.DONE
    assert owner.post(page(upload, "run"), {"do": "on"}).status_code == 302
    work()
    assert people(organisation) == 0
    assert "This import was undone" in owner.get(page(upload, "report")).content.decode()


def test_a_worker_that_is_told_to_stop_leaves_the_rest_to_the_next(
    upload: Upload, organisation: Organisation
) -> None:
    assert working.work(After(2))
    upload.refresh_from_db()
    assert (upload.stage, upload.lease, people(organisation)) == (Stage.RUNNING, None, 16)

    assert working.work()
    upload.refresh_from_db()
    assert done(upload) == (28, 0, 0, 7)
    assert FailedRow.objects.count() == 7


def test_the_rows_of_a_worker_that_died_are_done_once(
    upload: Upload, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_after(monkeypatch, 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        working.work()
    monkeypatch.undo()
    # Its lease stands: nobody takes the file up before it has run out.
    assert working.work() is False
    assert people(organisation) == 16

    Upload.objects.for_organisation(organisation).update(leased_until=timezone.now())
    assert working.work()
    upload.refresh_from_db()
    assert done(upload) == (28, 0, 0, 7)
    assert (people(organisation), FailedRow.objects.count()) == (28, 7)
    assert Import.objects.for_organisation(organisation).count() == 1


def test_one_whose_lease_ran_out_writes_nothing_more(
    upload: Upload, organisation: Organisation
) -> None:
    def taken_over() -> bool:
        if people(organisation) == 8:
            Upload.objects.for_organisation(organisation).update(leased_until=timezone.now())
            assert working.work()
        return False

    working.work(taken_over)

    upload.refresh_from_db()
    assert done(upload) == (28, 0, 0, 7)
    assert people(organisation) == 28


def test_an_error_of_ours_is_tried_again_and_at_last_told(
    upload: Upload, owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_options: Any) -> Any:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(working, "bring_in", broken)
    for attempt in range(1, working.ATTEMPTS + 1):
        assert working.work()
        upload.refresh_from_db()
        assert (upload.stage, upload.attempts) == (Stage.RUNNING, attempt)
        Upload.objects.for_organisation(organisation).update(leased_until=timezone.now())
    assert working.work()

    upload.refresh_from_db()
    assert upload.stage == Stage.COLUMNS
    assert "could not be finished" in owner.get(page(upload, "columns")).content.decode()


def test_a_database_that_goes_away_is_the_workers_business(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_after(monkeypatch, 1, OperationalError("gone"))

    with pytest.raises(OperationalError):
        working.work()


def test_a_custom_field_that_goes_meanwhile_leads_back_to_the_columns(
    owner: Client, organisation: Organisation
) -> None:
    from customfields import services as custom_fields

    field = custom_fields.define(organisation=organisation, label="Diet", type="Text")
    one = uploaded(owner, table(["E-mail", "Diet"], ["a@x.com", "vegan"]))
    check(owner, one)
    custom_fields.remove(field=field)

    start(owner, one)

    assert one.stage == Stage.COLUMNS
    assert one.problem
    assert people(organisation) == 0


def test_a_rehearsal_is_cancelled(
    owner: Client, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "SMALL_ROWS", 0)
    rows = ([f"a{n}@x.com"] for n in range(ROWS))
    one = uploaded(owner, table(["E-mail"], *rows))
    services.choose(one=one, choices=one.choices)
    assert "Every row is tried out" in _says_while(owner, one)

    def cancel() -> bool:
        owner.post(page(one, "preview"), {"do": "cancel"})
        return False

    working.work(cancel)

    one.refresh_from_db()
    assert (one.stage, one.preview.count()) == (Stage.COLUMNS, 0)
    assert working.work() is False


def _says_while(owner: Client, one: Upload) -> str:
    said = []

    def look() -> bool:
        said.append(owner.get(page(one, "state")).json()["says"])
        return True  # and make room

    working.work(look)
    return str(said[0])


def test_old_uploads_are_forgotten_but_not_those_at_work(
    owner: Client, organisation: Organisation, settings: Any
) -> None:
    settings.IMPORTS_KEEP_DAYS = 3
    kept, old, busy = (uploaded(owner, table(["E-mail"], [f"a{n}@x.com"])) for n in range(3))
    services.read_again(one=busy, reading={})
    rows = Upload.objects.for_organisation(organisation)
    rows.exclude(pk=kept.pk).update(updated_at=timezone.now() - timedelta(days=4))

    working.prune()

    assert set(rows.values_list("pk", flat=True)) == {kept.pk, busy.pk}
    assert old.pk not in {kept.pk, busy.pk}


def test_reasons_are_kept_in_the_readers_language(
    owner: Client, organisation: Organisation
) -> None:
    one = uploaded(owner, table(["E-mail"], ["a@x.com"]))
    Upload.objects.for_organisation(organisation).filter(pk=one.pk).update(language="fr")
    seen = []
    look = looking.look

    def looked(upload: Upload) -> Any:
        from django.utils.translation import get_language

        seen.append(get_language())
        return look(upload)

    services.read_again(one=one, reading={})
    looking.look = looked
    try:
        work()
    finally:
        looking.look = look
    assert seen == ["fr"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_process_imports_in_a_thread_of_its_own(house: House) -> None:
    organisation = OrganisationFactory()
    rows = ([f"a{n}@x.com"] for n in range(25_000))
    one = services.upload(
        organisation=organisation,
        user=UserFactory(),
        kind=Upload.Kind.CONTACTS,
        file=SimpleUploadedFile("people.csv", table(["E-mail"], *rows)),
    )

    assert house.run("worker", "--once")[0] == 0
    one.refresh_from_db()
    assert one.stage == Stage.COLUMNS
    services.choose(one=one, choices=one.choices)
    assert house.run("worker", "--once")[0] == 0
    one.refresh_from_db()
    services.start(one=one)
    assert house.run("worker", "--once")[0] == 0

    # To its end, for nobody told that worker to stop.
    one.refresh_from_db()
    assert (one.stage, people(organisation)) == (Stage.DONE, 25_000)
