"""The door of workflows that another system starts: `POST /hooks/workflows/{secret}`.

The secret in the address is all that whoever knows it needs, and all that it allows. The body is a
JSON object with a `contact` (an id, or identifiers as in `POST /activities`); the rest is kept in
the run's `triggerData` under `data`.
"""

from __future__ import annotations

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework.exceptions import APIException

from contacts.serializers import ContactSerializer
from crm.api import json, limits
from crm.api.errors import not_found, problem_handler, too_large
from crm.errors import Conflict
from workflows import checks, events, services
from workflows.models import Workflow

LARGEST = 64 * 1024


@csrf_exempt
@require_POST
def start(request: HttpRequest, secret: str) -> HttpResponse:
    """202 with the run's id; 404 for an unknown address, 409 while the workflow is not active, 429
    past the rate limit of an API key, which each address has for itself."""
    found = Workflow.objects.across_organisations().select_related("organisation")
    workflow = found.filter(secret=secret, starting_trigger_type=events.WEBHOOK).first()
    if workflow is None:
        return not_found(request.path)
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return too_large(request.path)
    try:
        limits.count(-workflow.pk).refuse_excess()
        body = json.loads(request.body)
        with transaction.atomic():
            run_id = _start(workflow, body)
    except (APIException, Conflict, ValidationError) as error:
        return problem_handler(error, {"request": request})
    return HttpResponse(
        json.dumps({"run": run_id}), status=HTTPStatus.ACCEPTED, content_type="application/json"
    )


def _start(workflow: Workflow, body: object) -> int:
    if not isinstance(body, dict):
        raise ValidationError({"": checks.error(_("This must be a JSON object."), "not_an_object")})
    given = body.pop("contact", None)
    if given is None:
        raise ValidationError({"contact": checks.required()})
    if isinstance(given, dict):
        serializer = ContactSerializer(data=given, context={"organisation": workflow.organisation})
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
    elif type(given) is not int:
        raise ValidationError({"contact": checks.error(_("Give an id, or an object."))})
    contact = services.find_contact(workflow.organisation, given)
    data = {"data": body} if body else {}
    return services.start(workflow=workflow, contact=contact, trigger_data=data).pk
