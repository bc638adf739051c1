"""Serializers that speak camelCase, refuse what they do not know, and know references.

    class ReferralInviteSerializer(ModelSerializer[ReferralInvite]):
        contact = ReferenceField("contacts", Contact.objects)

        class Meta:
            model = ReferralInvite
            fields = ["id", "contact", "emailAddress", "code", "createdAt"]
            read_only_fields = ["code"]

`Meta.fields`, `read_only_fields` and `extra_kwargs` name JSON keys; each is the model's field of
the same name in snake_case. Attributes are snake_case and become JSON keys in camelCase. What comes
out as `validated_data` has snake_case keys, ready for a service.

`create` and `update` are never called: viewsets hand `validated_data` to a service.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from django.core.exceptions import ValidationError as ModelError
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.utils.serializer_helpers import BindingDict
from rest_framework.validators import UniqueValidator

from crm.api import json
from crm.api.names import camel, snake
from crm.api.references import BIGGEST_ID, parse_reference

if TYPE_CHECKING:
    from organisations.models import Organisation

Row = TypeVar("Row", bound=models.Model)

INTEGER_RANGES: dict[type[models.Field[Any, Any]], tuple[int, int]] = {
    models.PositiveSmallIntegerField: (0, 2**15 - 1),
    models.PositiveIntegerField: (0, 2**31 - 1),
    models.PositiveBigIntegerField: (0, 2**63 - 1),
    models.SmallIntegerField: (-(2**15), 2**15 - 1),
    models.IntegerField: (-(2**31), 2**31 - 1),
    models.BigIntegerField: (-(2**63), 2**63 - 1),
}


class CharField(serializers.CharField):
    """Text, and nothing that would have to be turned into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    """A whole number; of 64 bits at most unless a range is given."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", -(2**63))
        kwargs.setdefault("max_value", 2**63 - 1)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class DateTimeField(serializers.DateTimeField):
    """ISO 8601 with an offset, told in UTC to the second."""

    default_error_messages = {
        "invalid": _("Use a time with offset, such as 2026-04-07T14:30:00+00:00."),
        "offset_missing": _("Say the offset from UTC, such as 2026-04-07T14:30:00+00:00."),
        "out_of_range": _("This time is out of range."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, input_formats=["iso-8601"])

    def enforce_timezone(self, value: datetime.datetime) -> datetime.datetime:
        if value.tzinfo is None:
            self.fail("offset_missing")
        try:
            return value.astimezone(datetime.UTC)
        except OverflowError:
            self.fail("out_of_range")

    def to_internal_value(self, value: Any) -> datetime.datetime:
        if not isinstance(value, str):
            self.fail("invalid")
        return super().to_internal_value(value)

    def to_representation(self, value: datetime.datetime) -> str:
        return json.moment(value)


class ReferenceField(serializers.Field[Any, Any, int | None, Any]):
    """A row of the request's organisation, by id or IRI; told as its id.

    `rows` is a manager or queryset whose model belongs to an organisation; `find`, when given, is
    asked instead of it: `find(organisation, id)` answers the row or None. A row of another
    organisation is not found, as one that does not exist.
    """

    default_error_messages = {
        "not_found": _("There is nothing with the id %(id)s here."),
    }

    def __init__(
        self,
        resource: str,
        rows: Any = None,
        *,
        find: Callable[[Organisation, int], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.rows = rows
        self.find = find

    def to_internal_value(self, data: Any) -> Any:
        try:
            number = parse_reference(data, self.resource)
        except ModelError as error:
            raise serializers.ValidationError(error.messages, code=error.code) from None
        organisation = self.context["organisation"]
        row = None
        if 0 <= number <= BIGGEST_ID:
            row = (
                self.find(organisation, number)
                if self.find is not None
                else self.rows.for_organisation(organisation).filter(pk=number).first()
            )
        if row is None:
            message = self.error_messages["not_found"] % {"id": number}
            raise serializers.ValidationError(message, code="not_found")
        return row

    def get_attribute(self, instance: Any) -> Any:
        # The id is in the row already; the row it names need not be read.
        *path, last = self.source_attrs
        for name in path:
            instance = getattr(instance, name)
        return getattr(instance, f"{last}_id")

    def to_representation(self, value: Any) -> int | None:
        return value if isinstance(value, int) else value.pk


class CamelCase(serializers.Serializer[Any]):
    """What every serializer of ours does with names and with keys that it does not take."""

    default_error_messages = {
        "unknown_field": _("There is no such key."),
        "read_only": _("This is read-only."),
        "invalid": _("This must be a JSON object."),
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = cls._declared_fields
        cls._declared_fields = {
            camel(name): _renamed(name, field) for name, field in declared.items()
        }

    @cached_property
    def fields(self) -> BindingDict:
        """The fields, made once for each class and copied for each serializer: making them costs
        more than reading a row with them. What `get_fields` answers must not depend on the
        request."""
        cls = type(self)
        made = _PROTOTYPES.get(cls)
        if made is None:
            made = BindingDict(self)
            for name, field in self.get_fields().items():
                made[name] = field
            _PROTOTYPES[cls] = made
        own = BindingDict(self)
        own.fields = {name: _twin(field, self) for name, field in made.items()}
        return own

    @property
    def organisation(self) -> Organisation:
        """Whose request this is."""
        found: Organisation = self.context["organisation"]
        return found

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {"non_field_errors": [self.error_messages["invalid"]]}, code="not_an_object"
            )
        errors = self._refused(data)
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**errors, **_as_dict(error.detail)}) from None
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def _refused(self, data: Mapping[str, Any]) -> dict[str, Any]:
        fields = self.fields
        errors: dict[str, Any] = {}
        present: Any = None
        for key, value in data.items():
            field = fields.get(key)
            if field is None:
                code = "unknown_field"
            elif field.read_only:
                if present is None:
                    present = self.present()
                if key in present and present[key] == value:
                    continue
                code = "read_only"
            else:
                continue
            errors[key] = [serializers.ErrorDetail(str(self.error_messages[code]), code)]
        return errors

    def present(self) -> Mapping[str, Any]:
        """The row as a client reads it now, so that what was read can be sent back unchanged."""
        if self.instance is None or self.parent is not None:
            return {}
        told: Mapping[str, Any] = orjson.loads(json.dumps(self.to_representation(self.instance)))
        return told


_PROTOTYPES: dict[type, BindingDict] = {}


def _twin(field: Any, parent: Any) -> Any:
    """A bound field as a child of another parent."""
    twin = copy.copy(field)
    twin.parent = parent
    vars(twin).pop("fields", None)  # a nested serializer makes its own
    for name in ("child", "child_relation"):
        inner = vars(twin).get(name)
        if inner is not None:
            setattr(twin, name, _twin(inner, twin))
    return twin


def _as_dict(detail: Any) -> dict[str, Any]:
    return dict(detail) if isinstance(detail, Mapping) else {"non_field_errors": detail}


def _renamed(name: str, declared: Any) -> Any:
    """The field as it is to be declared under its camelCase name."""
    if camel(name) == name:
        return declared
    field = copy.deepcopy(declared)
    # Fields are made anew for each serializer from the arguments that they were declared with.
    if isinstance(declared, serializers.SerializerMethodField):
        field._kwargs.setdefault("method_name", f"get_{name}")
    elif field._kwargs.get("source") is None:
        field._kwargs["source"] = name
    return copy.deepcopy(field)


class Serializer(CamelCase):
    """A serializer without a model, for the bodies of actions and for nested objects."""


class ModelSerializer(CamelCase, serializers.ModelSerializer[Row]):
    """See this module's docstring."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: CharField,
        models.TextField: CharField,
        models.DateTimeField: DateTimeField,
        **dict.fromkeys(INTEGER_RANGES, IntegerField),
        models.AutoField: IntegerField,
        models.BigAutoField: IntegerField,
    }

    def get_extra_kwargs(self) -> dict[str, Any]:
        extra = super().get_extra_kwargs()
        for name in self.Meta.fields:
            if name not in self._declared_fields and snake(name) != name:
                extra.setdefault(name, {}).setdefault("source", snake(name))
        return extra

    def build_standard_field(
        self, field_name: str, model_field: models.Field[Any, Any]
    ) -> tuple[Any, dict[str, Any]]:
        built, kwargs = super().build_standard_field(field_name, model_field)
        # Uniqueness is the constraint's and the service's: asking first is a query and a race.
        if "validators" in kwargs:
            kwargs["validators"] = [
                one for one in kwargs["validators"] if not isinstance(one, UniqueValidator)
            ]
        limits = INTEGER_RANGES.get(type(model_field))
        if limits and built is IntegerField:
            # The model's own ranges are the database's, and the two databases differ.
            kwargs["min_value"] = max(kwargs.get("min_value", limits[0]), limits[0])
            kwargs["max_value"] = min(kwargs.get("max_value", limits[1]), limits[1])
        return built, kwargs

    def get_validators(self) -> list[Any]:
        return []


__all__ = [
    "CharField",
    "DateTimeField",
    "IntegerField",
    "ModelSerializer",
    "ReferenceField",
    "Serializer",
    "empty",
]
