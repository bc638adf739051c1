"""A resource that shows every convention of crm.api, apart from what the real ones do beside.

Tests that want it carry `pytest.mark.urls("tests.api.sample")`. Its rows are referral invites, the
plainest model with a reference, a choice, and a column that may be null.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from contacts.models import Contact, ReferralInvite
from crm import urls as real
from crm.api import batches
from crm.api.filters import (
    BooleanFilter,
    ChoiceFilter,
    DateRange,
    FilterSet,
    NumberRange,
    ReferenceFilter,
    TextFilter,
)
from crm.api.ordering import unset_last_by
from crm.api.routers import Router
from crm.api.serializers import ModelSerializer, ReferenceField
from crm.api.viewsets import OrganisationViewSet
from crm.batch import BatchResult
from crm.errors import Conflict


class SampleSerializer(ModelSerializer[ReferralInvite]):
    contact = ReferenceField("contacts", Contact.objects)

    class Meta:
        model = ReferralInvite
        fields = [
            "id",
            "contact",
            "emailAddress",
            "code",
            "status",
            "createdAt",
            "completedAt",
        ]
        read_only_fields = ["createdAt"]


class SampleFilterSet(FilterSet):
    contact = ReferenceFilter("contacts")
    code = TextFilter(repeatable=True)
    email_address = TextFilter()
    status = ChoiceFilter(choices=ReferralInvite.Status.choices)
    created_at = DateRange()
    dob = DateRange("contact__dob", days=True)
    number = NumberRange("contact_id")
    done = BooleanFilter(method="completed")

    def completed(self, rows: Any, _name: str, value: bool) -> Any:
        return rows.filter(completed_at__isnull=not value)


@transaction.atomic
def create(*, organisation: Any, code: str = "", **values: Any) -> tuple[ReferralInvite, bool]:
    if code == "break":
        raise RuntimeError("the sample broke")
    there = ReferralInvite.objects.for_organisation(organisation).filter(code=code).first()
    if there is not None and values.get("status"):
        raise Conflict("This code is taken.", [there.pk])
    if there is not None:
        return there, False
    return ReferralInvite.objects.create(organisation=organisation, code=code, **values), True


@transaction.atomic
def change(*, referral_invite: ReferralInvite, values: Any) -> ReferralInvite:
    for name, value in values.items():
        setattr(referral_invite, name, value)
    referral_invite.save()
    return referral_invite


@transaction.atomic
def delete(*, referral_invite: ReferralInvite) -> None:
    referral_invite.delete()


class SampleViewSet(OrganisationViewSet[ReferralInvite]):
    scope = "contacts"
    queryset = ReferralInvite.objects.all()
    serializer_class = SampleSerializer
    filterset_class = SampleFilterSet
    orderings = {
        "createdAt": "created_at",
        "completedAt": unset_last_by("completed_at"),
        "contact": "contact__name",
    }
    parameters = {
        "create": [
            {"name": "onConflict", "schema": {"type": "string", "enum": ["update", "fail"]}},
            {"name": "dryRun", "schema": {"type": "boolean"}},
        ],
        "batch": batches.PARAMETERS,
    }
    create_with = staticmethod(create)
    update_with = staticmethod(change)
    delete_with = staticmethod(delete)

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.parameter("onConflict")
        self.parameter("dryRun")
        return super().create(request, *args, **kwargs)

    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Any:
        def write(rows: Any, atomic: bool) -> list[BatchResult]:
            results = []
            for index, values in enumerate(rows):
                try:
                    row, created = create(organisation=self.organisation, **values)
                    results.append(BatchResult(index, row.pk, created))
                except Conflict as error:
                    results.append(BatchResult(index, error=error))
            return results

        return batches.run(
            self,
            key="samples",
            serializer=lambda data: self.get_serializer(data=data),
            write=write,
        )


def invite(organisation: Any, **values: Any) -> ReferralInvite:
    """A row of the sample, of a new contact unless one is given."""
    if "contact" not in values:
        values["contact"] = Contact.objects.create(organisation=organisation)
    return ReferralInvite.objects.create(organisation=organisation, **values)


router = Router()
router.register("samples", SampleViewSet, basename="sample")

urlpatterns = [*real.urlpatterns, path("api/", include(router.urls))]
