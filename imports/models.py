"""Imports: what a file brought in, so that it can be reported, resumed and undone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from organisations.models import TenantModel


class Import(TenantModel):
    """One run of a file: what it was, how far it came, what it did.

    `digest` (SHA-256 of the content) with `rows_done` lets a run that was killed go on where it
    stopped when the same file is given again with the same options. Everything that a batch of
    rows did is committed with them, the length of the errors file included.
    """

    class Kind(models.TextChoices):
        CONTACTS = "contacts", _("Contacts")
        ACTIVITIES = "activities", _("Activities")
        CUSTOM_FIELDS = "custom fields", _("Custom fields")

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    kind = models.CharField(_("what"), max_length=20, choices=Kind.choices)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.RUNNING
    )
    file_name = models.CharField(_("file"), max_length=255)
    digest = models.CharField(max_length=64)
    # Who began it, as `crm.actors` tells; empty for imports of before that was kept.
    by_kind = models.CharField(max_length=20, blank=True, default="", editable=False)
    by_name = models.CharField(_("by"), max_length=255, blank=True, default="", editable=False)
    options = models.JSONField(_("options"), default=dict)
    mapping = models.JSONField(_("columns"), default=dict)
    # How many rows the file has, nearly.
    rows_about = models.BigIntegerField(null=True, editable=False)
    rows_done = models.BigIntegerField(_("rows"), default=0)
    created_rows = models.BigIntegerField(_("created"), default=0)
    updated_rows = models.BigIntegerField(_("updated"), default=0)
    unchanged_rows = models.BigIntegerField(_("unchanged"), default=0)
    failed_rows = models.BigIntegerField(_("failed"), default=0)
    seconds = models.FloatField(_("seconds"), default=0)
    errors_file = models.CharField(_("errors file"), max_length=4096, blank=True, default="")
    errors_bytes = models.BigIntegerField(default=0, editable=False)
    # What an undo did so far: {"deleted": {what: rows}, "restored": {what: rows}, "seconds": …}.
    undone = models.JSONField(_("undone"), default=dict, editable=False)
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


class What(models.TextChoices):
    """The tables that imports write rows of."""

    CONTACT = "contact", _("contact")
    ACTIVITY = "activity", _("activity")
    BOOKING = "booking", _("booking")
    GOLF_RESERVATION = "golf reservation", _("golf reservation")
    TABLE_RESERVATION = "table reservation", _("table reservation")
    CUSTOM_FIELD = "custom field", _("custom field")


class CreatedRange(models.Model):
    """Rows that an import created in one go: those with ids from `first_id` to `last_id`.

    A new contact costs no row of its own here. `written_at` is the rows' own `updated_at` as the
    import left it: a row whose differs was changed since. What hangs on a contact (tags, custom
    values, addresses) was there by `settled_at`, or has an id up to `newest_address`; anything
    newer is from elsewhere.

    `undone_at`: none of the rows is there any more.
    """

    run = models.ForeignKey(Import, models.CASCADE, related_name="created_ranges", db_index=False)
    what = models.CharField(max_length=20, choices=What.choices)
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    written_at = models.DateTimeField()
    settled_at = models.DateTimeField(default=timezone.now)
    newest_address = models.BigIntegerField(default=0)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["run", "what", "first_id"], name="import_created_range"),
            # Which import created this contact? For its history.
            models.Index(
                fields=["-first_id"], name="import_created_contact", condition=Q(what="contact")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.first_id}–{self.last_id}"


class ImportedRow(models.Model):
    """A row that an import changed, with what it was before.

    `before` holds what the import changed of it as [before, after]: `columns` by name, for a
    contact `addresses`, `tags` and `custom_fields` by name, for a custom field its `options`; and
    under `at` the row's own `updated_at` before and, for a contact, its totals' `changed_at`. It is
    null for a row that this import had created itself, and empty for a contact that was redacted
    since. The other moments are as in `CreatedRange`.

    `undone_at` is the `changed_at` (of other rows the `updated_at`) that undoing left behind: as
    long as it stands, all is as it was before this import.
    """

    run = models.ForeignKey(Import, models.CASCADE, related_name="rows", db_index=False)
    what = models.CharField(max_length=20, choices=What.choices)
    row_id = models.BigIntegerField()
    before = models.JSONField(null=True)
    written_at = models.DateTimeField()
    settled_at = models.DateTimeField(default=timezone.now)
    newest_address = models.BigIntegerField(default=0)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["run", "what", "row_id"], name="imported_row"),
            # What imports changed of a contact, newest first: its history.
            models.Index(
                fields=["row_id", "-settled_at", "-id"],
                name="imported_contact",
                condition=Q(what="contact", before__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.row_id}"


class KeptRow(models.Model):
    """A row that the undo of an import left as it is, and why."""

    run = models.ForeignKey(Import, models.CASCADE, related_name="kept_rows", db_index=False)
    what = models.CharField(max_length=20, choices=What.choices)
    row_id = models.BigIntegerField()
    name = models.CharField(max_length=310, blank=True, default="")
    reason = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "what", "row_id"], name="import_kept_row_once")
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.row_id}: {self.reason}"


# Last: they point at imports.
import imports.wizard.models  # noqa: E402, F401
