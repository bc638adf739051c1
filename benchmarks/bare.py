"""The floor of the web rows: what Django REST framework answers when one asks nothing of it.

No keys, no scopes, no limits, no custom fields, no deduplication: the plain columns through a
ModelSerializer. Served by the same command as Regulars, with the settings of `bare_settings`.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.urls import path
from rest_framework import generics, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import JSONRenderer

from activities.models import Activity
from contacts.models import Contact, ContactRollup


class ContactSerializer(serializers.ModelSerializer[Contact]):
    class Meta:
        model = Contact
        fields = tuple(field.name for field in Contact._meta.concrete_fields)
        validators = ()


class ActivitySerializer(serializers.ModelSerializer[Activity]):
    contact = serializers.PrimaryKeyRelatedField(queryset=Contact.objects.across_organisations())

    class Meta:
        model = Activity
        fields = (
            "id",
            "contact",
            "type",
            "source",
            "happened_at",
            "spend",
            "currency_code",
            "external_reference",
            "data",
        )
        validators = ()

    def create(self, validated_data: dict[str, Any]) -> Activity:
        contact = validated_data["contact"]
        activity = Activity(organisation_id=contact.organisation_id, **validated_data)
        with transaction.atomic():
            # Ours would move the totals, by signals or by itself.
            QuerySet(Activity).bulk_create([activity])
            ContactRollup.objects.across_organisations().filter(pk=contact.pk).update(
                total_spend=F("total_spend") + activity.spend,
                total_orders=F("total_orders") + 1,
                last_interacted_at=activity.happened_at,
            )
        return activity


class Newest(CursorPagination):
    page_size = 50
    ordering = "-id"


class Bare(generics.GenericAPIView[Any]):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    filter_backends = ()
    renderer_classes = (JSONRenderer,)


class OneContact(Bare, generics.RetrieveAPIView[Contact]):
    queryset = Contact.objects.across_organisations()
    serializer_class = ContactSerializer


class Contacts(Bare, generics.ListAPIView[Contact]):
    queryset = Contact.objects.across_organisations()
    serializer_class = ContactSerializer
    pagination_class = Newest


class Activities(Bare, generics.CreateAPIView[Activity]):
    serializer_class = ActivitySerializer


urlpatterns = [
    path("api/contacts", Contacts.as_view()),
    path("api/contacts/<int:pk>", OneContact.as_view()),
    path("api/activities", Activities.as_view()),
]
