"""Workflows, their runs and simulations over the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from crm.api.ordering import by
from crm.api.serializers import Serializer
from crm.api.viewsets import OrganisationViewSet
from workflows import existing, reentry, services, simulation
from workflows.filtersets import RunFilterSet, WorkflowFilterSet
from workflows.models import Run, StepExecution, Workflow
from workflows.serializers import (
    ActivateSerializer,
    ExistingSerializer,
    RunSerializer,
    SimulateSerializer,
    SimulationSerializer,
    StartSerializer,
    WorkflowSerializer,
    told,
    told_run,
)

CHANGE = ["workflows.change_workflow"]


class WorkflowViewSet(OrganisationViewSet[Workflow]):
    """What happens by itself: a trigger, and steps."""

    scope = "workflows"
    queryset = Workflow.objects.all()
    serializer_class = WorkflowSerializer
    filterset_class = WorkflowFilterSet
    orderings = {"createdAt": "created_at", "name": "name"}
    create_with = staticmethod(services.create)
    delete_with = staticmethod(services.delete)
    staff_permission = {
        "activate": CHANGE,
        "pause": CHANGE,
        "simulate": CHANGE,
    }

    def get_object(self) -> Workflow:
        workflow = super().get_object()
        workflow.organisation = self.organisation
        return workflow

    def represent(self, row: Workflow) -> dict[str, Any]:
        return told(row, reentry.current_version(row))

    def represent_page(self, rows: Sequence[Workflow]) -> list[Any]:
        versions = reentry.current_versions(rows)
        return [told(row, versions[row.pk]) for row in rows]

    @extend_schema(request=WorkflowSerializer, responses=WorkflowSerializer)
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Replace a workflow. Another trigger or other steps make a new version."""
        with self.unchanged() as row:
            serializer = self.get_serializer(row, data=request.data)
            serializer.is_valid(raise_exception=True)
            changed = services.replace(workflow=row, values=serializer.validated_data)
            return Response(self.represent(changed))

    @extend_schema(request=ActivateSerializer, responses=WorkflowSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: int) -> Response:
        """Switch the workflow on, and let contacts in who match already if so wished."""
        body = ActivateSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        changed = services.set_status(
            workflow=self.get_object(),
            status=Workflow.Status.ACTIVE,
            include_existing=body.validated_data["include_existing"],
        )
        return Response(self.represent(changed))

    @extend_schema(request=None, responses=WorkflowSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: int) -> Response:
        """Switch the workflow off: nothing starts it, and its runs wait where they are."""
        paused = services.set_status(workflow=self.get_object(), status=Workflow.Status.PAUSED)
        return Response(self.represent(paused))

    @extend_schema(responses=ExistingSerializer)
    @action(detail=True, methods=["get"])
    def existing(self, request: Request, pk: int) -> Response:
        """How many contacts match already, and would enter with `includeExisting`."""
        workflow = self.get_object()
        version = reentry.current_version(workflow)
        return Response(existing.preview(workflow, version, timezone.now()))

    @extend_schema(request=SimulateSerializer, responses=SimulationSerializer)
    @action(detail=True, methods=["post"])
    def simulate(self, request: Request, pk: int) -> Response:
        """What the workflow would do with a contact, and an activity of it. Changes nothing."""
        workflow = self.get_object()
        body = SimulateSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        contact, activity = body.validated_data["contact"], body.validated_data.get("activity")
        contact.organisation = self.organisation
        if activity is not None:
            activity.organisation = self.organisation
        found = simulation.simulate(workflow=workflow, contact=contact, activity=activity)
        return Response(found)


class RunViewSet(OrganisationViewSet[Run]):
    """The runs of a workflow."""

    scope = "workflows"
    queryset = Run.objects.select_related("workflow", "version")
    serializer_class = RunSerializer
    filterset_class = RunFilterSet
    default_ordering = by("-created_at")
    staff_permission = {"create": CHANGE, "retry": CHANGE, "cancel": CHANGE}

    def get_queryset(self) -> QuerySet[Run]:
        runs = super().get_queryset()
        pk = self.kwargs.get("workflow")
        return runs if pk is None else runs.filter(workflow=self._workflow())

    def _workflow(self) -> Workflow:
        workflows = Workflow.objects.for_organisation(self.organisation)
        workflow: Workflow | None = workflows.filter(pk=self.kwargs["workflow"]).first()
        if workflow is None:
            raise Http404
        workflow.organisation = self.organisation
        return workflow

    def represent(self, row: Run) -> dict[str, Any]:
        (one,) = self.represent_page([row])
        found: dict[str, Any] = one
        return found

    def represent_page(self, rows: Sequence[Run]) -> list[Any]:
        steps: dict[int, list[StepExecution]] = {}
        pks = [row.pk for row in rows]
        for step in StepExecution.objects.filter(run__in=pks).order_by("run_id", "number"):
            steps.setdefault(step.run_id, []).append(step)
        return [told_run(row, steps.get(row.pk, ())) for row in rows]

    def address(self, row: Run) -> str:
        return f"/api/workflows/{row.workflow_id}/runs/{row.pk}"

    @extend_schema(request=StartSerializer, responses={201: RunSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Start a run of a workflow whose trigger is `manual`."""
        self._workflow()  # 404 before anything that is wrong with the body
        return super().create(request, *args, **kwargs)

    def get_serializer_class(self) -> type[Serializer]:
        return StartSerializer if self.action == "create" else RunSerializer

    def perform_create(self, serializer: BaseSerializer[Run]) -> Run:
        values: dict[str, Any] = serializer.validated_data
        contact = values["contact"]
        contact.organisation = self.organisation
        return services.start(
            workflow=self._workflow(), contact=contact, trigger_data=values.get("data")
        )

    @extend_schema(request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Go on with a failed run from the step that failed."""
        return Response(self.represent(services.retry(run=self.get_object())))

    @extend_schema(request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End a run that is on its way. What it did stays."""
        return Response(self.represent(services.cancel(run=self.get_object())))
