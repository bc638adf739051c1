"""Narrowing and sorting contacts by what they have in custom fields.

`customField[NAME]=v`, `customField[NAME][OPERATOR]=v` and `order[customField.NAME]`. Each condition
is a subquery on a partial index of the value column, never a join: a list of conditions then costs
what its narrowest one does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q
from django.utils.translation import gettext as _

from contacts.parts import Sorting
from contacts.querysets import ContactQuerySet
from customfields.definitions import Definitions
from customfields.models import CustomField, CustomFieldValue
from customfields.querysets import CustomFieldValueQuerySet
from organisations.models import Organisation

_PARAMETER = re.compile(r"customField\[([^\[\]]+)\](?:\[([^\[\]]+)\])?")
ORDER_PREFIX = "customField."


def claims(parameter: str) -> bool:
    """Whether a query parameter is about a custom field."""
    return parameter == "customField" or parameter.startswith("customField[")


def narrow(
    contacts: ContactQuerySet,
    organisation: Organisation,
    parameters: Mapping[str, Sequence[str]],
) -> ContactQuerySet:
    """Those that fit all of `parameters`, each with all of its values. At most two queries for the
    definitions.

    Raises ValidationError by parameter for one that cannot be read, an unknown field, an operator
    that its type has not, a bad value.
    """
    read = {}
    errors: dict[str, ValidationError] = {}
    for parameter in parameters:
        found = _PARAMETER.fullmatch(parameter)
        if found is None:
            errors[parameter] = ValidationError(
                _("Write it as customField[NAME] or customField[NAME][OPERATOR]."),
                code="invalid_parameter",
            )
        else:
            read[parameter] = (found[1], found[2] or "eq")
    definitions = Definitions.of(organisation, {name for name, _operator in read.values()})
    for parameter, (name, operator) in read.items():
        try:
            field = _named(definitions, name)
            for value in parameters[parameter]:
                contacts = contacts.filter(condition(field, operator, value)).scattered()
        except ValidationError as error:
            errors[parameter] = error
    if errors:
        raise ValidationError(errors)
    return contacts


def condition(field: CustomField, operator: str, value: str) -> Q:
    """Contacts whose value in `field` fits. No query when the field's options were prefetched.

    Raises ValidationError for an operator that the type has not, and for a bad value.
    """
    kind = field.kind
    wanted = kind.operators.get(operator)
    if wanted is None:
        raise ValidationError(
            _("%(label)s is of type %(type)s, whose operators are %(operators)s."),
            code="unknown_operator",
            params={
                "label": field.label,
                "type": field.type,
                "operators": ", ".join(kind.operators),
            },
        )
    rows = CustomFieldValue.objects.across_organisations().filter(field=field)
    # Each must have a row of its own: a multi select is asked for all of several options.
    operands, negated = wanted.ask(value, field)
    fitting = [rows.filter(**{f"{kind.column}__{wanted.lookup}": one}) for one in operands]
    if negated:
        found = Q()
        for some in fitting:
            found &= Q(Exists(some.filter(contact=OuterRef("pk"))))
        return ~found
    found = Q()
    for some in fitting:
        found &= Q(pk__in=some.values("contact"))
    return found


def having(field: CustomField) -> Q:
    """Contacts that have a value in `field`."""
    return Q(pk__in=_filled(field).values("contact"))


def lacking(field: CustomField) -> Q:
    """Contacts that have none."""
    return ~Q(Exists(_filled(field).filter(contact=OuterRef("pk"))))


def _filled(field: CustomField) -> CustomFieldValueQuerySet:
    # The column says it too, so that its partial index can answer.
    rows = CustomFieldValue.objects.across_organisations().filter(field=field)
    return rows.filter(**{f"{field.kind.column}__isnull": False})


def sorting(contacts: ContactQuerySet, organisation: Organisation, order: str) -> Sorting | None:
    """How to sort by `customField.NAME`; None when `order` is something else. One query.

    Raises ValidationError by parameter for an unknown field, and for a type without an order.
    """
    if not order.startswith(ORDER_PREFIX):
        return None
    try:
        definitions = Definitions.of(organisation, [order.removeprefix(ORDER_PREFIX)])
        field = _named(definitions, order.removeprefix(ORDER_PREFIX))
        column = field.kind.sort_column
        if column is None:
            raise ValidationError(
                _("One cannot order by a field of type %(type)s."),
                code="not_sortable",
                params={"type": field.type},
            )
    except ValidationError as error:
        raise ValidationError({f"order[{order}]": error}) from None
    sorted_rows = contacts.annotate(
        sorted_value=FilteredRelation(
            "custom_field_values", condition=Q(custom_field_values__field=field)
        )
    ).filter(**{f"sorted_value__{column}__isnull": False})
    return Sorting(
        having=sorted_rows.annotate(
            custom_sort=F(f"sorted_value__{column}"),
            # As the index has it: its last column, not the contact's own id.
            custom_sort_contact=F("sorted_value__contact_id"),
        ),
        lacking=contacts.filter(lacking(field)),
        path="custom_sort",
        tie="custom_sort_contact",
    )


def _named(definitions: Definitions, name: str) -> CustomField:
    field = definitions.named(name)
    if field is None:
        raise ValidationError(
            _("There is no custom field %(name)s."), code="unknown_field", params={"name": name}
        )
    return field
