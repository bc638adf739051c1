"""What a workflow would do with a contact, without doing it.

The steps are run by their own code in a transaction that is rolled back; those with effects
elsewhere only say what they would send. The clock is an imagined one: a wait is over at once, and
the steps after it see the time to which it would have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.models import Activity
from contacts.models import Contact
from contacts.rules import Finding
from contacts.segments import reading
from crm.api import json
from crm.errors import Conflict
from workflows import causes, moves, reentry, retries, values
from workflows.models import Run, Workflow
from workflows.program import Program
from workflows.rulebook import Rulebook
from workflows.steps.base import Branch, Exit, GiveUp, Moment, Outcome, Retry, Wait, WaitFor
from workflows.triggers import TRIGGERS
from workflows.triggers.base import Happening

log = structlog.get_logger(__name__)

MOST_STEPS = 500
MESSAGES = frozenset({"send_email", "send_sms"})
EXPECTED = (GiveUp, Retry, ValidationError, Conflict)


def simulate(
    *,
    workflow: Workflow,
    contact: Contact,
    activity: Activity | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """The path, the waits with their dates, and the messages rendered, as if it were `at` (now
    without). Writes nothing, sends nothing, asks nobody.

    `starts` says whether the trigger and its conditions would let the contact in, given the
    activity, and `conditions` what became of each of them; those of a step are with the step.
    """
    with transaction.atomic(), causes.quiet():
        try:
            return _Simulation(workflow, contact, activity, at or timezone.now()).told()
        finally:
            transaction.set_rollback(True)


class _Simulation:
    def __init__(
        self, workflow: Workflow, contact: Contact, activity: Activity | None, at: datetime
    ) -> None:
        self.workflow, self.contact, self.activity = workflow, contact, activity
        self.organisation = contact.organisation
        self.version = reentry.current_version(workflow)
        self.program = Program(self.version.steps)
        self.rulebook = Rulebook()
        self.clock = at
        self.path: list[dict[str, Any]] = []
        self.error = ""

    def told(self) -> dict[str, Any]:
        starts, findings = self._starts()
        self._run()
        return {
            "workflowId": self.workflow.pk,
            "version": self.workflow.version,
            "contact": self.contact.pk,
            "activity": self.activity.pk if self.activity is not None else None,
            "starts": starts,
            "conditions": findings,
            "status": Run.Status.FAILED.value if self.error else Run.Status.COMPLETED.value,
            "errorMessage": self.error,
            "path": self.path,
            "messages": [
                {"id": one["id"], "type": one["type"], "at": one["at"], **one["output"]}
                for one in self.path
                if one["type"] in MESSAGES and one["status"] == "completed"
            ],
        }

    def _starts(self) -> tuple[bool, list[Any]]:
        """Whether the contact would come in, and what became of the trigger's conditions."""
        data = self.version.trigger
        trigger = TRIGGERS[data["type"]]
        takes = True
        if "activity" in trigger.about:
            takes = self.activity is not None and trigger.takes(
                data, Happening(trigger.event, self.organisation, self.contact, self.activity)
            )
        subject = self._moment(Run(), {}, {}).subject
        try:
            rule = self.rulebook.rule(self.organisation, data.get("conditions"))
        except ValidationError as error:
            self.error = " ".join(error.messages)
            return False, []
        return takes and rule.holds(subject), _told(rule.explain(subject))

    def _run(self) -> None:
        run = Run(
            organisation_id=self.workflow.organisation_id,
            workflow=self.workflow,
            version=self.version,
            contact=self.contact,
            activity=self.activity,
            position=self.program.first(),
            trigger_data={"type": self.version.trigger["type"], "simulated": True},
        )
        run.save(force_insert=True)
        with causes.acting(run.as_cause()):
            for _count in range(MOST_STEPS):
                if not run.position or self.error:
                    return
                self._step(run)
        self.error = _("The simulation ended after %(count)d steps.") % {"count": MOST_STEPS}

    def _step(self, run: Run) -> None:
        data, kind = self.program.at(run.position), self.program.kind(run.position)
        began = self.clock
        contacts = Contact.objects.for_organisation(self.organisation).select_related("rollup")
        self.contact = contacts.resolve(self.contact.pk)
        self.contact.organisation = self.organisation
        moment = self._moment(run, data, run.memory)
        try:
            with transaction.atomic():
                outcome = kind.simulate(moment)
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.warning("simulated step failed", position=run.position, exc_info=error)
            self._note(data, began, "failed", error=retries.reason_of(error))
            self.error = retries.reason_of(error)
            return
        if isinstance(outcome, Wait | WaitFor):
            self._note(data, began, "waiting", output={"until": json.moment(outcome.until)})
            self.clock = max(self.clock, outcome.until)
            run.memory = values.as_json(outcome.memory)
            return
        output = values.as_json(outcome.output) if outcome.output else {}
        why = _told(kind.explain(moment))
        self._note(data, began, "completed", output=output, conditions=why)
        self._go_on(run, outcome, output)

    def _go_on(self, run: Run, outcome: Outcome, output: dict[str, Any]) -> None:
        if output:
            run.context = {**run.context, self.program.at(run.position)["id"]: output}
        run.memory, run.taken = {}, run.taken + 1
        if isinstance(outcome, Exit):
            run.position = ""
        elif isinstance(outcome, Branch):
            run.position = self.program.into(run.position, outcome.path)
        else:
            run.position = self.program.after(run.position)

    def _note(self, data: Any, at: datetime, status: str, **more: Any) -> None:
        self.path.append(
            {
                "id": data["id"],
                "type": data["type"],
                "status": status,
                "at": json.moment(at),
                "output": {},
                "error": "",
                "conditions": [],
                **more,
            }
        )

    def _moment(self, run: Run, data: Any, memory: Any) -> Moment:
        return Moment(
            organisation=self.organisation,
            contact=self.contact,
            activity=self.activity,
            run=run,
            data=data,
            now=self.clock,
            idempotency_key=moves.idempotency_key(run),
            memory=memory,
            simulated=True,
            rulebook=self.rulebook,
        )


def _told(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [values.as_json(reading.finding(one)) for one in findings]
