"""Files of all kinds in the import wizard, and those that are none."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
import xlsxwriter
from django.test import Client
from django.urls import reverse

from contacts.models import Contact
from imports.files import archives
from imports.wizard import working
from imports.wizard.models import Upload
from organisations.models import Organisation
from tests.imports.wizard import check, page, send, start, table, uploaded

pytestmark = pytest.mark.django_db


def workbook(**sheets: list[list[Any]]) -> bytes:
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (
            "\ufeffE-mail,First name\r\na@x.com,Zoë\r\n".encode(),
            "CSV, UTF-8 with a byte order mark, comma",
        ),
        ("E-mail;First name\r\na@x.com;Zoë\r\n".encode("latin-1"), "CSV, Windows-1252, semicolon"),
        ('sep=;\r\n"E-mail";"First name"\r\n"a@x.com";"Zoë"\r\n'.encode(), "CSV, UTF-8, semicolon"),
        ("E-mail\tFirst name\r\na@x.com\tZoë\r\n".encode("utf-16"), "TSV, UTF-16, tab"),
    ],
    ids=["mark", "latin-1", "quotes", "utf-16"],
)
def test_how_a_text_is_written_is_found_and_shown(
    content: bytes, description: str, owner: Client, organisation: Organisation
) -> None:
    upload = uploaded(owner, content)
    assert upload.found["description"] == description
    assert description in owner.get(page(upload, "file")).content.decode()

    check(owner, upload)
    start(owner, upload)

    assert Contact.objects.for_organisation(organisation).get().first_name == "Zoë"


def test_an_encoding_that_was_found_wrong_is_chosen(owner: Client) -> None:
    upload = uploaded(owner, table(["E-mail", "First name"], ["a@x.com", "Zoë"]))

    owner.post(page(upload, "file"), {"encoding": "windows-1252", "delimiter": "comma"})
    upload.refresh_from_db()
    assert upload.found["rows"] == [["a@x.com", "ZoÃ«"]]
    assert "ZoÃ«" in owner.get(page(upload, "file")).content.decode()

    owner.post(page(upload, "file"), {"encoding": "utf-16", "delimiter": ""})
    upload.refresh_from_db()
    assert upload.stage == Upload.Stage.UNUSABLE
    assert "cannot be read in the encoding" in owner.get(page(upload, "file")).content.decode()
    assert owner.get(page(upload, "columns")).status_code == 302

    owner.post(page(upload, "file"), {"encoding": "", "delimiter": ""})
    upload.refresh_from_db()
    assert upload.found["rows"] == [["a@x.com", "Zoë"]]


def test_a_sheet_of_a_workbook_is_chosen(owner: Client, organisation: Organisation) -> None:
    content = workbook(
        Notes=[["Nothing here", "of use"], ["really", ""]],
        Guests=[["E-mail", "First name"], ["a@x.com", "Ann"]],
    )
    upload = uploaded(owner, content, name="guests.xlsx")
    assert upload.found["headers"] == ["Nothing here", "of use"]

    owner.post(page(upload, "file"), {"sheet": "Guests"})
    upload.refresh_from_db()
    assert upload.found["headers"] == ["E-mail", "First name"]
    check(owner, upload)
    start(owner, upload)

    assert Contact.objects.for_organisation(organisation).get().first_name == "Ann"


def test_a_workbook_is_known_by_its_content(owner: Client) -> None:
    content = workbook(Guests=[["E-mail"], ["a@x.com"]])

    assert uploaded(owner, content, name="export.csv").found["description"].startswith("XLSX")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"E-mail,First name\r\n", "a header line and no rows"),
        (
            "a.csv",
            b"E-mail,Name,E-mail\r\na,b,c\r\n",
            "&quot;E-mail&quot; is there twice, in columns 1 and 3",
        ),
        ("a.csv", b"E-mail,,Name\r\na,b,c\r\n", "Column 2 has no header"),
        ("a.csv", b"%PDF-1.7 and so on", "not a text file but a PDF"),
        ("a.csv", bytes(range(32)) * 40, "not a text file"),
        ("a.xlsx", b"PK\x03\x04 nothing more", "cannot be read as a workbook"),
    ],
    ids=["header only", "twice", "unnamed", "pdf", "garbage", "no workbook"],
)
def test_what_is_no_table_says_why(name: str, content: bytes, said: str, owner: Client) -> None:
    upload = uploaded(owner, content, name=name)

    assert upload.stage == Upload.Stage.UNUSABLE
    assert said in owner.get(page(upload, "file")).content.decode()


def test_an_empty_file_is_refused_beside_its_field(owner: Client) -> None:
    answer = send(owner, b"")

    assert answer.context["form"].errors["file"] == ["The file is empty."]
    assert not Upload.objects.across_organisations().exists()


def test_a_file_past_the_limit_is_refused_with_the_limit(owner: Client, settings: Any) -> None:
    settings.IMPORTS_MAX_MB = 1

    for size in (1_050_000, 1_200_000):  # one that is counted, one that is not even stored
        answer = send(owner, b"x" * size)
        assert "larger than 1 MB" in answer.context["form"].errors["file"][0]
    assert not Upload.objects.across_organisations().exists()


def test_a_workbook_that_would_fill_the_memory_is_refused(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 2_000_000)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 3_000_000)
    upload = uploaded(owner, stream.getvalue(), name="bomb.xlsx")

    assert upload.stage == Upload.Stage.UNUSABLE
    assert "holds more than can be read at once" in upload.problem


def test_an_archive_that_lies_about_its_size_is_refused(owner: Client) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 3_000_000)
    whole = stream.getvalue()
    lie = whole.replace((3_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lie != whole

    assert uploaded(owner, lie, name="liar.xlsx").stage == Upload.Stage.UNUSABLE


def test_what_is_small_is_read_at_once_and_what_is_large_by_a_worker(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "SMALL_BYTES", 10)
    send(owner, table(["E-mail"], ["a@x.com"]))
    upload = Upload.objects.across_organisations().get()

    assert upload.stage == Upload.Stage.READING
    shown = owner.get(page(upload, "file")).content.decode()
    assert "Waiting for a worker" in shown
    state = owner.get(page(upload, "state")).json()
    assert (state["stage"], state["page"]) == ("reading", page(upload, "file"))

    assert working.work()
    state = owner.get(page(upload, "state")).json()
    assert (state["stage"], state["page"]) == ("columns", page(upload, "columns"))


def test_the_start_page_offers_what_it_takes(owner: Client) -> None:
    answer = owner.get(reverse("admin:imports_import_add") + "?kind=activities")

    assert answer.context["form"]["kind"].value() == "activities"
    assert "at most 256 MB" in answer.content.decode()
