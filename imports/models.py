"""Imports: what a file brought in, so that it can be reported, resumed and undone."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from organisations.models import TenantModel


class Import(TenantModel):
    """One run of a file: what it was, how far it came, what it did.

    `digest` (SHA-256 of the content) with `rows_done` lets a run that was killed go on where it
    stopped when the same file is given again with the same options.
    """

    class Kind(models.TextChoices):
        CONTACTS = "contacts", _("Contacts")
        ACTIVITIES = "activities", _("Activities")
        CUSTOM_FIELDS = "custom fields", _("Custom fields")

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        UNDONE = "undone", _("Undone")

    kind = models.CharField(_("what"), max_length=20, choices=Kind.choices)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.RUNNING
    )
    file_name = models.CharField(_("file"), max_length=255)
    digest = models.CharField(max_length=64)
    options = models.JSONField(_("options"), default=dict)
    mapping = models.JSONField(_("columns"), default=dict)
    rows_done = models.BigIntegerField(_("rows"), default=0)
    created_rows = models.BigIntegerField(_("created"), default=0)
    updated_rows = models.BigIntegerField(_("updated"), default=0)
    unchanged_rows = models.BigIntegerField(_("unchanged"), default=0)
    failed_rows = models.BigIntegerField(_("failed"), default=0)
    seconds = models.FloatField(_("seconds"), default=0)
    errors_file = models.CharField(_("errors file"), max_length=500, blank=True, default="")
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["organisation", "-created_at", "-id"], name="import_newest"),
            # Is there an unfinished run of this very file?
            models.Index(fields=["organisation", "digest"], name="import_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.pk})"


class ImportedRow(models.Model):
    """A row that an import wrote, with what it was before.

    `before` is null for a row that the import created, else `{column: old value}` of what it
    changed. `written_at` is the row's own `updated_at` as the import left it: when that differs,
    somebody changed it since.
    """

    run = models.ForeignKey(Import, models.CASCADE, related_name="rows", db_index=False)
    row_id = models.BigIntegerField()
    before = models.JSONField(null=True)
    written_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["run", "row_id"], name="imported_row")]
