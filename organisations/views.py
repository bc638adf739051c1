"""The organisation over the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.views import ApiView
from organisations.serializers import OrganisationSerializer


class OrganisationView(ApiView):
    """The organisation that the key belongs to."""

    scope = "organisation"
    serializer_class = OrganisationSerializer

    def staff_model(self) -> tuple[str, str] | None:
        # Whoever works in the organisation may know its name.
        return None

    @extend_schema(operation_id="organisation_retrieve", responses=OrganisationSerializer)
    def get(self, request: Request) -> Response:
        return Response(OrganisationSerializer(self.organisation).data)
