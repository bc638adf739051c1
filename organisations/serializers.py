"""The organisation as the API tells it."""

from __future__ import annotations

from crm.api.serializers import ModelSerializer
from organisations.models import Organisation


class OrganisationSerializer(ModelSerializer[Organisation]):
    """Read-only: what a client needs to know of the organisation that its key belongs to."""

    class Meta:
        model = Organisation
        fields = [
            "id",
            "name",
            "hashId",
            "status",
            "currencyCode",
            "country",
            "timezone",
            "createdAt",
            "updatedAt",
        ]
        read_only_fields = fields
