"""Segments over the API."""

from __future__ import annotations

from typing import Any, cast

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts import rules
from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from contacts.segments import reading, services
from contacts.segments.models import Segment
from contacts.segments.serializers import (
    RULE_FIELDS,
    MembershipSerializer,
    PreviewSerializer,
    RulesSerializer,
    SegmentSerializer,
)
from contacts.views import ContactViewSet
from crm.api.views import ApiView
from crm.api.viewsets import OrganisationViewSet

ABOUT = ("contact", "activity")


class SegmentViewSet(OrganisationViewSet[Segment]):
    """Saved rules, whose tag is on the contacts for which they hold."""

    scope = "segments"
    queryset = Segment.objects.select_related("tag")
    serializer_class = SegmentSerializer
    orderings = {"createdAt": "created_at"}
    create_with = staticmethod(services.create)
    update_with = staticmethod(services.change)
    delete_with = staticmethod(services.delete)

    def get_object(self) -> Segment:
        segment = super().get_object()
        segment.organisation = self.organisation
        return segment

    @extend_schema(request=RulesSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """For how many contacts a rule holds, and ten of them. Writes nothing."""
        body = RulesSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        rule = services.read_rules(self.organisation, body.validated_data["rules"])
        found = reading.preview(rule)
        return Response(
            {
                "count": found.count,
                "more": found.more,
                "contacts": [
                    {"id": one.pk, "name": str(one), "emailAddress": one.email_address}
                    for one in found.contacts
                ],
            }
        )


class SegmentContactsViewSet(ContactViewSet):
    """The contacts that carry a segment's tag, newest first, as of `GET /contacts`."""

    http_method_names = ["get", "head"]

    def get_queryset(self) -> ContactQuerySet:
        contacts = super().get_queryset()
        pk = self.kwargs.get("segment")
        if pk is None:  # when the API is described
            return contacts
        segments = Segment.objects.for_organisation(self.organisation).select_related("tag")
        segment = segments.filter(pk=pk).first()
        if segment is None:
            raise Http404
        return contacts.tagged(segment.tag)

    def whole(self, rows: Any) -> Any:
        return self.for_order(super().get_queryset())


class ContactSegmentsView(ApiView):
    """How a contact stands to each segment: whether its rule holds, and each condition of it."""

    scope = "contacts"
    serializer_class = MembershipSerializer

    def staff_model(self) -> tuple[str, str] | None:
        return "contacts", "contact"

    @extend_schema(operation_id="contacts_segments_list", responses=MembershipSerializer(many=True))
    def get(self, request: Request, contact: int) -> Response:
        contacts = Contact.objects.for_organisation(self.organisation)
        try:
            found = contacts.resolve(contact)
        except Contact.DoesNotExist:
            raise Http404 from None
        found.organisation = self.organisation
        return Response([reading.told(one) for one in reading.standings(found)])


class RuleFieldsView(ApiView):
    """What rules may speak of: the fields with their operators and choices, and the activities."""

    scope = "segments"
    parameters = {
        "get": [
            {
                "name": "about",
                "description": "`activity`: also of the activity that starts a workflow.",
                "schema": {"type": "string", "enum": list(ABOUT), "default": "contact"},
            }
        ]
    }

    def staff_model(self) -> tuple[str, str] | None:
        return "contacts", "segment"

    @extend_schema(operation_id="rule_fields_retrieve", responses={200: RULE_FIELDS})
    def get(self, request: Request) -> Response:
        asked = cast(str, self.parameter("about", "contact"))
        about: tuple[str, ...] = ABOUT if asked == "activity" else ("contact",)
        told: dict[str, Any] = rules.catalogue(self.organisation, about)
        return Response(told)
