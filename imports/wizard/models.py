"""What the wizard keeps of a file between its upload and its end."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from imports.models import Import
from imports.wizard.querysets import UploadQuerySet
from organisations.models import TenantModel


class Upload(TenantModel):
    """A file on its way through the wizard.

    Stages that are `DUE` wait for a worker, which leases the upload; the others wait for a person.
    To change the stage is to take the work away from whoever is at it: a worker notes what it did
    only while its lease and the stage stand.
    """

    class Kind(models.TextChoices):
        CONTACTS = Import.Kind.CONTACTS.value, _("Contacts")
        ACTIVITIES = Import.Kind.ACTIVITIES.value, _("Activities")

    class Stage(models.TextChoices):
        READING = "reading", _("Being read")
        UNUSABLE = "unusable", _("Cannot be used")
        COLUMNS = "columns", _("Columns to be matched")
        CHECKING = "checking", _("Being rehearsed")
        CHECKED = "checked", _("Ready to import")
        RUNNING = "running", _("Running")
        STOPPING = "stopping", _("Stopping")
        STOPPED = "stopped", _("Stopped")
        DONE = "done", _("Done")

    DUE = (Stage.READING, Stage.CHECKING, Stage.RUNNING, Stage.STOPPING)
    BEGUN = (Stage.RUNNING, Stage.STOPPING, Stage.STOPPED, Stage.DONE)

    kind = models.CharField(_("what"), max_length=20, choices=Kind.choices)
    stage = models.CharField(
        _("stage"), max_length=20, choices=Stage.choices, default=Stage.READING
    )
    file_name = models.CharField(_("file"), max_length=255)
    size = models.BigIntegerField(_("bytes"))
    digest = models.CharField(max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    user_name = models.CharField(_("by"), max_length=255, blank=True, default="")
    # In which the worker says what is wrong with rows.
    language = models.CharField(max_length=10, blank=True, default="")
    # Why it cannot go on, for people.
    problem = models.TextField(blank=True, default="")
    # How the file was said to be read: encoding, delimiter, sheet.
    reading = models.JSONField(default=dict)
    # What it was found to be (`looking.Found`).
    found = models.JSONField(default=dict)
    # {"columns": {header: target}, "new": {header: {"label", "type"}}, "options": {…}}
    choices = models.JSONField(default=dict)
    # Whether people have said what the columns are, or only the wizard guessed.
    chosen = models.BooleanField(default=False)
    # What the rehearsal counted: {"created", "updated", "unchanged", "failed", "fields", "kept"}.
    counts = models.JSONField(default=dict)
    # How far the worker is, and since when, where that is not the import's to say.
    rows_done = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    run = models.OneToOneField(Import, models.SET_NULL, null=True, related_name="upload")
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar = UploadQuerySet.as_manager()

    class Meta:
        verbose_name = _("uploaded file")
        verbose_name_plural = _("uploaded files")
        indexes = [
            # What an organisation has not brought to its end.
            models.Index(
                fields=["organisation", "-created_at", "-id"],
                name="import_upload_open",
                condition=~Q(stage="done"),
            ),
            # What is a worker's to do?
            models.Index(
                fields=["updated_at", "id"],
                name="import_upload_due",
                condition=Q(stage__in=("reading", "checking", "running", "stopping")),
            ),
            # What is old enough to be forgotten?
            models.Index(fields=["updated_at"], name="import_upload_old"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def headers(self) -> list[str]:
        """The columns of the file, in their order."""
        headers: list[str] = self.found.get("headers", [])
        return headers

    @property
    def is_open(self) -> bool:
        """Whether nothing of it was imported yet, so that everything can still be changed."""
        return self.stage not in self.BEGUN


class UploadPiece(models.Model):
    """A part of the file's content, compressed (docs/decisions/0013-uploads.md)."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="pieces", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="import_piece_once")
        ]

    def __str__(self) -> str:
        return f"{self.upload_id}/{self.number}"


class PreviewRow(models.Model):
    """A row of the file as the rehearsal found it: some of each outcome, and those that fail.

    `reasons` are pairs of field and reason; `changes` is as `ImportedRow.before` has it. `mended`:
    it failed, and does no more with what was corrected.
    """

    class Outcome(models.TextChoices):
        CREATED = "created", _("Created")
        UPDATED = "updated", _("Updated")
        UNCHANGED = "unchanged", _("Unchanged")
        FAILED = "failed", _("Failed")

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="preview", db_index=False)
    # In which list it stands; a row that was mended stays among those that failed.
    place = models.CharField(max_length=10, choices=Outcome.choices)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    line = models.BigIntegerField()
    cells = models.JSONField(default=list)
    who = models.CharField(max_length=310, blank=True, default="")
    contact = models.BigIntegerField(null=True)
    changes = models.JSONField(default=dict)
    reasons = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "place", "line"], name="import_preview_line")
        ]

    def __str__(self) -> str:
        return f"{self.upload_id}:{self.line} {self.outcome}"


class Correction(models.Model):
    """Cells of a row as somebody corrected them, by header. Where the row could not be read as
    one, all of its cells."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="corrections", db_index=False)
    line = models.BigIntegerField()
    cells = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "line"], name="import_correction_line")
        ]

    def __str__(self) -> str:
        return f"{self.upload_id}:{self.line}"


class FailedRow(models.Model):
    """A row that the import refused, for the errors file."""

    upload = models.ForeignKey(Upload, models.CASCADE, related_name="failed", db_index=False)
    line = models.BigIntegerField()
    field = models.TextField(blank=True, default="")
    reason = models.TextField()
    cells = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["upload", "line"], name="import_failed_line")]

    def __str__(self) -> str:
        return f"{self.upload_id}:{self.line}"


class SavedMapping(TenantModel):
    """What the columns of files with these headers were the last time."""

    kind = models.CharField(max_length=20, choices=Upload.Kind.choices)
    # SHA-256 of the headers, in whatever order.
    signature = models.CharField(max_length=64)
    choices = models.JSONField(default=dict)
    used_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "kind", "signature"], name="import_mapping_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.signature[:8]}"
