"""Contacts, tags and referral invites over the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from django.db.models.functions import Lower
from django.http import Http404
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from contacts import details, services
from contacts.filtersets import ContactFilterSet, ReferralInviteFilterSet, TagFilterSet
from contacts.models import Contact, ContactRollup, ReferralInvite, Tag
from contacts.parts import PARTS, ContactPart
from contacts.querysets import ContactQuerySet
from contacts.serializers import (
    ChangeReferralInviteSerializer,
    ContactBatchSerializer,
    ContactSerializer,
    OtherContactSerializer,
    ReferralInviteSerializer,
    TagSerializer,
)
from crm.api import batches
from crm.api.ordering import IMPATIENCE, Ordering, Phase, Term, by, unset_last_by
from crm.api.schema import BATCH_ANSWER
from crm.api.viewsets import OrganisationViewSet
from organisations.models import Organisation


def by_total(path: str) -> Callable[[bool], Ordering]:
    """By a column of the totals, read from its index there; contacts that lack it come last."""

    def ordering(descending: bool) -> Ordering:
        term, tie = Term(f"rollup__{path}", descending), "rollup__contact"

        def phases(contacts: Any) -> list[Phase]:
            if not ContactRollup._meta.get_field(path).null:
                return [Phase(contacts, [term], tie, IMPATIENCE)]
            having = contacts.filter(**{f"rollup__{path}__isnull": False})
            lacking = contacts.filter(**{f"rollup__{path}__isnull": True})
            return [
                Phase(having, [term], tie, IMPATIENCE),
                Phase(lacking, [Term(tie, True)], tie, IMPATIENCE),
            ]

        return Ordering(f"{'-' if descending else ''}{path}", phases)

    return ordering


def by_name(descending: bool) -> Ordering:
    """By name, whatever its case; contacts without one come last."""

    def phases(contacts: Any) -> list[Phase]:
        named = contacts.annotate(lower_name=Lower("name"))
        return [
            Phase(
                named.filter(lower_name__gt=""),
                [Term("lower_name", descending)],
                patience=IMPATIENCE,
            ),
            Phase(named.filter(lower_name=""), [Term("pk", True)], patience=IMPATIENCE),
        ]

    return Ordering("-name" if descending else "name", phases)


def by_part(part: ContactPart, organisation: Organisation, name: str) -> Callable[[bool], Ordering]:
    """By something that a part knows, such as `customField.visits`; contacts that lack it come
    last. The part must know the name."""

    def ordering(descending: bool) -> Ordering:
        def phases(contacts: Any) -> list[Phase]:
            sorting = part.sorting(contacts, organisation, name)
            assert sorting is not None
            return [
                Phase(sorting.having, [Term(sorting.path, descending)], sorting.tie, IMPATIENCE),
                Phase(sorting.lacking, [Term("pk", True)], patience=IMPATIENCE),
            ]

        return Ordering(f"{'-' if descending else ''}{name}", phases)

    return ordering


ORDERS_OF_TOTALS = frozenset(
    f"order[{name}]" for name in ("updatedAt", "lastInteractedAt", "totalSpend", "totalOrders")
)


class ContactViewSet(OrganisationViewSet[Contact]):
    """People and businesses."""

    scope = "contacts"
    queryset = Contact.objects.all()
    serializer_class = ContactSerializer
    filterset_class = ContactFilterSet
    orderings = {
        "createdAt": "created_at",
        "updatedAt": by_total("changed_at"),
        "lastInteractedAt": by_total("last_interacted_at"),
        "totalSpend": by_total("total_spend"),
        "totalOrders": by_total("total_orders"),
        "name": by_name,
    }
    update_with = staticmethod(services.update)
    delete_with = staticmethod(services.delete)
    parameters = {
        "create": [
            {
                "name": "onConflict",
                "description": gettext_lazy(
                    "What to do when there is such a contact: `fail` answers 409."
                ),
                "schema": {"type": "string", "enum": ["update", "fail"], "default": "update"},
            }
        ],
        "batch": batches.PARAMETERS,
    }
    staff_permission = {
        "merge": ["contacts.merge_contact"],
        "unmerge": ["contacts.merge_contact"],
        "redact": ["contacts.redact_contact"],
        "put_tag": ["contacts.change_contact"],
        "delete_tag": ["contacts.change_contact"],
    }

    def get_queryset(self) -> ContactQuerySet:
        contacts = cast(ContactQuerySet, super().get_queryset())
        if self.is_list():
            return contacts.current().select_related("rollup")
        return contacts

    def get_object(self) -> Contact:
        """The contact of this address; of one that was merged, the survivor, but to DELETE, which
        must not hit another than was named."""
        contacts = self.get_queryset()
        if self.action == "retrieve":
            contacts = contacts.select_related("rollup")
        try:
            find = contacts.get if self.action == "destroy" else contacts.resolve
            contact = find(pk=self.kwargs["pk"])
        except Contact.DoesNotExist:
            raise Http404 from None
        contact.organisation = self.organisation
        return contact

    def represent(self, row: Contact) -> dict[str, Any]:
        if self.action not in {"retrieve", "create"}:
            # Whatever was written may have moved the totals.
            row._state.fields_cache.pop("rollup", None)
        (told,) = self.represent_page([row])
        return told

    def represent_page(self, rows: Sequence[Contact]) -> list[dict[str, Any]]:
        return details.told(rows, self.organisation.currency_code)

    # What the parts add to the list.

    def known_parameters(self) -> Sequence[Mapping[str, Any]]:
        own = super().known_parameters()
        if not self.is_list():
            return own
        return [*own, *(parameter for part in PARTS for parameter in part.parameters())]

    def claims_parameter(self, name: str) -> bool:
        if not self.is_list():
            return False
        return any(part.claims(name) for part in PARTS) or (
            name.startswith("order[") and name.endswith("]") and "." in name
        )

    def whole(self, rows: Any) -> Any:
        return self.for_order(rows)

    def for_order(self, rows: Any) -> Any:
        """`rows` with what the order that was asked for needs."""
        if ORDERS_OF_TOTALS.isdisjoint(self.request.query_params):
            return rows
        return cast(ContactQuerySet, rows).with_totals(self.organisation)

    def filter_queryset(self, queryset: Any) -> Any:
        contacts = cast(ContactQuerySet, super().filter_queryset(self.for_order(queryset)))
        given = dict(self.request.query_params.lists())
        for part in PARTS:
            claimed = {name: values for name, values in given.items() if part.claims(name)}
            if claimed:
                contacts = part.narrow(contacts, self.organisation, claimed)
        return contacts

    def ordering(self, name: str, descending: bool) -> Ordering | None:
        known = super().ordering(name, descending)
        if known is not None:
            return known
        everyone = Contact.objects.for_organisation(self.organisation)
        for part in PARTS:
            if part.sorting(everyone, self.organisation, name) is not None:
                return by_part(part, self.organisation, name)(descending)
        return None

    # Writing.

    def perform_create(self, serializer: BaseSerializer[Contact]) -> tuple[Contact, bool]:
        return services.upsert(
            organisation=self.organisation,
            values=serializer.validated_data,
            on_conflict=self.parameter("onConflict", "update"),
        )

    @extend_schema(request=None, responses=ContactSerializer)
    @action(detail=True, methods=["post"])
    def redact(self, request: Request, pk: int) -> Response:
        """Erase the contact's personal data; its activities and totals stay."""
        return Response(self.represent(services.redact(contact=self.get_object())))

    @extend_schema(request=OtherContactSerializer, responses=ContactSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: int) -> Response:
        """Take another contact into this one. Answers this one."""
        survivor = self.get_object()
        merge = services.merge(survivor=survivor, absorbed=self._other(request))
        return Response(self.represent(merge.survivor))

    @extend_schema(request=OtherContactSerializer, responses=ContactSerializer)
    @action(detail=True, methods=["post"])
    def unmerge(self, request: Request, pk: int) -> Response:
        """Bring a contact back that was merged into this one. Answers the one brought back."""
        brought_back = services.unmerge(survivor=self.get_object(), absorbed=self._other(request))
        return Response(self.represent(brought_back))

    def _other(self, request: Request) -> Contact:
        serializer = OtherContactSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        other: Contact = serializer.validated_data["contact"]
        return other

    @extend_schema(request=ContactBatchSerializer, responses=BATCH_ANSWER)
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Any:
        """Create or update up to 1,000 contacts."""
        return batches.run(
            self,
            key="contacts",
            serializer=batches.reused(self.get_serializer(data={})),
            write=lambda rows, atomic: services.upsert_batch(
                organisation=self.organisation, rows=rows, atomic=atomic
            ),
        )

    @extend_schema(request=None, responses=TagSerializer)
    @action(detail=True, methods=["put"], url_path="tags/<path:name>", url_name="tag")
    def put_tag(self, request: Request, pk: int, name: str) -> Response:
        """Put a tag on the contact; it is made when it is new. A second time changes nothing."""
        contact = self.get_object()
        services.tag(contacts=contact, name=name)
        tag = Tag.objects.for_organisation(self.organisation).named(name).get()
        return Response(TagSerializer(tag, context=self.get_serializer_context()).data)

    @put_tag.mapping.delete
    @extend_schema(responses={204: None})
    def delete_tag(self, request: Request, pk: int, name: str) -> Response:
        """Take a tag off the contact. A second time changes nothing."""
        services.untag(contacts=self.get_object(), name=name)
        return Response(status=HTTPStatus.NO_CONTENT)


class TagViewSet(OrganisationViewSet[Tag]):
    """Tags."""

    scope = "tags"
    queryset = Tag.objects.all()
    serializer_class = TagSerializer
    filterset_class = TagFilterSet
    default_ordering = by("name")
    orderings = {"name": "name", "createdAt": "created_at"}
    create_with = staticmethod(services.create_tag)
    delete_with = staticmethod(services.delete_tag)


class ReferralInviteViewSet(OrganisationViewSet[ReferralInvite]):
    """Invitations that contacts sent to people who are not contacts yet."""

    scope = "referral-invites"
    queryset = ReferralInvite.objects.all()
    serializer_class = ReferralInviteSerializer
    filterset_class = ReferralInviteFilterSet
    orderings = {"createdAt": "created_at", "completedAt": unset_last_by("completed_at")}
    row_argument = "invite"
    update_with = staticmethod(services.update_invite)

    def get_serializer_class(self) -> type[BaseSerializer[ReferralInvite]]:
        if self.action == "partial_update":
            return ChangeReferralInviteSerializer
        return ReferralInviteSerializer

    def perform_create(self, serializer: BaseSerializer[ReferralInvite]) -> ReferralInvite:
        return services.create_invite(**serializer.validated_data)
