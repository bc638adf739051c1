"""What becomes of a contact's runs when it is merged, redacted or deleted."""

from __future__ import annotations

from django.utils.translation import gettext as _

from contacts.models import Contact, Merge
from contacts.parts import ContactPart, note_rows
from workflows.models import Occasion, Run, StepExecution


class RunsPart(ContactPart):
    """A contact's way through workflows. A few statements, however many runs there are."""

    name = "workflow_runs"

    def merge(self, merge: Merge) -> None:
        """The survivor has the runs from now on. One that stands in the way of another of the
        survivor's (`once`) keeps its place in the list and is in nobody's way."""
        note_rows(merge, self.name, Run)
        runs = Run.objects.for_organisation(merge.organisation_id)
        theirs = runs.filter(contact=merge.survivor, entry__isnull=False)
        for workflow, entry in list(theirs.values_list("workflow_id", "entry")):
            runs.filter(contact=merge.absorbed, workflow=workflow, entry=entry).update(entry=None)
        runs.filter(contact=merge.absorbed).update(contact=merge.survivor)

    def unmerge(self, merge: Merge) -> None:
        runs = Run.objects.for_organisation(merge.organisation_id)
        noted = merge.rows.filter(part=self.name).values("row_id")
        runs.filter(contact=merge.survivor, pk__in=noted).update(contact=merge.absorbed)

    def redact(self, contact: Contact) -> None:
        """Unfinished runs end; what steps said and read is erased."""
        runs = Run.objects.for_organisation(contact.organisation_id).filter(contact=contact)
        ended = {"status": Run.Status.CANCELLED, "due_at": None, "waits_for": None, "entry": None}
        runs.unfinished().update(**ended, error_message=_("The contact's data was erased."))
        StepExecution.objects.filter(run__in=runs).update(output={}, error="")
        runs.update(context={}, trigger_data={}, memory={})

    def erase(self, contact: Contact) -> None:
        runs = Run.objects.for_organisation(contact.organisation_id).filter(contact=contact)
        executions = StepExecution.objects.filter(run__in=runs)
        executions._raw_delete(executions.db)
        runs._raw_delete(runs.db)
        occasions = Occasion.objects.for_organisation(contact.organisation_id)
        found = occasions.filter(contact=contact)
        found._raw_delete(found.db)
