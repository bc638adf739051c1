"""Credit over the API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from django.contrib.auth.models import User
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from activities.views import contact_of
from contacts.models import Contact
from crm.api import pagination
from crm.api.ordering import by
from crm.api.pagination import KeysetPagination
from crm.api.views import ApiView
from rewards import services
from rewards.models import CreditEntry
from rewards.serializers import (
    CreditSerializer,
    GrantSerializer,
    RedeemSerializer,
    ReverseSerializer,
    WrittenEntrySerializer,
    represent,
    represent_credit,
)

WRITTEN = {201: WrittenEntrySerializer, 200: WrittenEntrySerializer}


class OfContact(ApiView):
    """What is at a contact's credit."""

    scope = "rewards"

    def contact(self, pk: int) -> Contact:
        """The contact of this id, or the one that it was merged into. Raises Http404."""
        contact = contact_of(self.organisation, pk)
        contact.organisation = self.organisation
        return contact

    def read(self, serializer_class: type[Serializer[Any]]) -> Any:
        """The body. Raises ValidationError."""
        context = {"request": self.request, "organisation": self.organisation}
        serializer = serializer_class(data=self.request.data, context=context)
        serializer.is_valid(raise_exception=True)
        return serializer

    def author(self) -> dict[str, Any]:
        """Whose doing it is."""
        if self.key is not None:
            return {"key": self.key}
        return {"staff": cast(User, self.request.user)}

    def written(self, contact: Contact, entry: CreditEntry, created: bool) -> Response:
        """The entry, and the balances after it: 200 when it was there already."""
        balances = services.statement(contact).balances
        return Response(
            {**represent(entry), "balances": balances},
            status=HTTPStatus.CREATED if created else HTTPStatus.OK,
            headers={"Location": f"/api/contacts/{contact.pk}/credit"},
        )


class CreditView(OfContact):
    """A contact's credit."""

    parameters = {"get": pagination.PARAMETERS}
    staff_permission = {"get": ["rewards.view_creditentry"], "post": ["rewards.grant_credit"]}

    @extend_schema(operation_id="contacts_credit_retrieve", responses=CreditSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """What the contact can spend, and a page of its ledger; the `Link` header leads on."""
        contact = self.contact(pk)
        statement = services.statement(contact)
        page = KeysetPagination(request)
        entries = page.page(contact.credit_entries.all(), by("-created_at"))
        return Response(represent_credit(statement, entries), headers=page.headers)

    @extend_schema(
        operation_id="contacts_credit_create", request=GrantSerializer, responses=WRITTEN
    )
    def post(self, request: Request, pk: int) -> Response:
        """Give the contact credit."""
        contact = self.contact(pk)
        values = self.read(GrantSerializer).for_contact(contact)
        entry, created = services.grant(contact=contact, **values, **self.author())
        return self.written(entry.contact, entry, created)


class RedeemView(OfContact):
    """Spending credit."""

    staff_permission = {"post": ["rewards.redeem_credit"]}

    @extend_schema(
        operation_id="contacts_credit_redeem_create", request=RedeemSerializer, responses=WRITTEN
    )
    def post(self, request: Request, pk: int) -> Response:
        """Spend the contact's credit: what expires first goes first. 422 when it does not reach."""
        contact = self.contact(pk)
        values = self.read(RedeemSerializer).validated_data
        entry, created = services.redeem(contact=contact, **values, **self.author())
        return self.written(entry.contact, entry, created)


class ReverseView(OfContact):
    """Taking a redemption back."""

    staff_permission = {"post": ["rewards.redeem_credit"]}

    @extend_schema(
        operation_id="contacts_credit_reverse_create", request=ReverseSerializer, responses=WRITTEN
    )
    def post(self, request: Request, pk: int, entry: int) -> Response:
        """Take a redemption back: its credit returns to the grants that it came from."""
        contact = self.contact(pk)
        redemption = contact.credit_entries.filter(pk=entry).first()
        if redemption is None:
            raise Http404
        values = self.read(ReverseSerializer).validated_data
        reversal, created = services.reverse(entry=redemption, **values, **self.author())
        return self.written(contact, reversal, created)
