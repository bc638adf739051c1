"""The import wizard in tests: a file uploaded, matched and imported through its pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from imports.wizard import working
from imports.wizard.models import Upload


def table(*rows: Sequence[str], **options: Any) -> bytes:
    """Rows as a CSV file has them."""
    text = io.StringIO(newline="")
    csv.writer(text, **options).writerows(rows)
    return text.getvalue().encode()


def page(upload: Upload, name: str, *args: int) -> str:
    return reverse(f"admin:imports_import_{name}", args=[upload.pk, *args])


def send(client: Client, content: bytes, name: str = "people.csv", kind: str = "contacts") -> Any:
    """Upload a file; the answer."""
    file = SimpleUploadedFile(name, content)
    return client.post(reverse("admin:imports_import_add"), {"kind": kind, "file": file})


def uploaded(client: Client, content: bytes, **options: str) -> Upload:
    """A file that was uploaded, and read."""
    answer = send(client, content, **options)
    assert answer.status_code == 302, answer.context["form"].errors
    found: Upload = Upload.objects.across_organisations().latest("pk")
    if found.stage == Upload.Stage.READING:
        work()
        found.refresh_from_db()
    return found


def choices(upload: Upload, columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """The form of the columns as it is shown, with other targets for some."""
    upload.refresh_from_db()
    chosen = {**upload.choices["columns"], **(columns or {})}
    given = {f"column_{i}": chosen[header] for i, header in enumerate(upload.headers)}
    options = {"mode": "upsert", **upload.choices.get("options", {})}
    return {**given, **{name: value for name, value in options.items() if value}}


def check(
    client: Client, upload: Upload, columns: Mapping[str, str] | None = None, **given: str
) -> Any:
    """Say what the columns are, and have it rehearsed."""
    form = {**choices(upload, columns), **given, "do": "check"}
    answer = client.post(page(upload, "columns"), form)
    work()
    upload.refresh_from_db()
    return answer


def start(client: Client, upload: Upload) -> Upload:
    """Import it, to the end."""
    client.post(page(upload, "preview"), {"do": "start"})
    work()
    upload.refresh_from_db()
    return upload


def work() -> None:
    """Do all that waits for a worker."""
    while working.work():
        pass


def counts(upload: Upload) -> tuple[int, int, int, int]:
    """Created, updated, unchanged and failing, as the rehearsal counted."""
    return tuple(upload.counts[name] for name in ("created", "updated", "unchanged", "failed"))  # type: ignore[return-value]


def done(upload: Upload) -> tuple[int, int, int, int]:
    """The same of the import."""
    run = upload.run
    assert run is not None
    return run.created_rows, run.updated_rows, run.unchanged_rows, run.failed_rows
