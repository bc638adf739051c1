"""Starts another workflow for the contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflows import causes, checks, inputs
from workflows.models import Workflow
from workflows.steps.base import CleanContext, Done, GiveUp, Moment, Outcome, Step, step
from workflows.words import Said


@step
class StartWorkflow(Step):
    """`{"workflow": 12}`. Its trigger is not asked, its re-entry policy is."""

    type = "start_workflow"
    label = gettext_lazy("Start another workflow")
    keys = frozenset({"workflow"})
    hint = gettext_lazy("The contact goes through that one too, beside this.")
    icon = "account_tree"
    form = (inputs.OtherWorkflow("workflow", gettext_lazy("Workflow"), required=True),)
    refers = {"workflow": "workflows.Workflow"}

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return said.workflow(data["workflow"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        given = data.get("workflow")
        workflows = Workflow.objects.for_organisation(context.organisation)
        if given is None:
            errors["workflow"] = checks.required()
        elif type(given) is not int or not 0 < given < 2**63:
            errors["workflow"] = checks.error(_("Give the id of a workflow."))
        elif context.workflow is not None and given == context.workflow.pk:
            errors["workflow"] = checks.error(_("A workflow cannot start itself."), "itself")
        elif not workflows.filter(pk=given).exists():
            errors["workflow"] = checks.error(
                _("There is no workflow %(id)s."), "does_not_exist", id=given
            )
        errors.raise_if_any()

    def told(self, output: Mapping[str, Any]) -> str:
        if output["started"] is not None:
            return _("Started.")
        return _("Not started: %(reason)s") % {"reason": output["reason"]}

    def run(self, moment: Moment) -> Outcome:
        from workflows import reentry

        run = moment.run
        workflow = (
            Workflow.objects.for_organisation(moment.organisation)
            .filter(pk=moment.data["workflow"])
            .first()
        )
        if workflow is None:
            raise GiveUp(
                _("There is no workflow %(id)d any more.") % {"id": moment.data["workflow"]}
            )
        if run.depth >= causes.MAX_DEPTH:
            raise GiveUp(reentry.too_deep(workflow))
        if workflow.status != Workflow.Status.ACTIVE:
            return Done({"started": None, "reason": _("That workflow is not active.")})
        candidate = reentry.Candidate(
            workflow=workflow,
            version=reentry.current_version(workflow),
            contact=moment.contact,
            activity=moment.activity,
            trigger_data={"type": self.type, "startedBy": run.pk},
            depth=run.depth + 1,
            cause=run.pk,
        )
        (started,) = reentry.enter([candidate], moment.now)
        if started is None:
            return Done({"started": None, "reason": _("Its re-entry policy forbids it.")})
        return Done({"started": started.pk})
