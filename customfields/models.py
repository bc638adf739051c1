"""Custom fields: what each business wants to know beyond the standard fields, as typed rows."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contacts.models import Contact
from customfields import types
from customfields.decimals import ExactDecimalField
from customfields.querysets import CustomFieldQuerySet, CustomFieldValueQuerySet
from organisations.models import TenantModel, lower_snake


class CustomField(TenantModel):
    """The definition of a custom field: its name, its type and its rules.

    `name` is fixed once made (clients write by it); `label` is free to change. `type` is fixed
    once there are values. Rules (`required`, `unique`, …) hold for writes from then on.
    """

    name = models.CharField(
        _("name"),
        max_length=60,
        blank=True,
        validators=[lower_snake],
        help_text=_("How integrations call it, such as dietary_preference. Fixed once made."),
    )
    label = models.CharField(_("label"), max_length=120)
    type = models.CharField(_("type"), max_length=20, choices=types.choices())
    help_text = models.CharField(_("help text"), max_length=300, blank=True, default="")
    required = models.BooleanField(_("required"), default=False)
    unique = models.BooleanField(
        _("unique"),
        default=False,
        help_text=_("No two contacts may have the same value."),
    )
    minimum = ExactDecimalField(
        _("minimum"),
        max_digits=25,
        decimal_places=10,
        null=True,
        blank=True,
        help_text=_("Smallest number, fewest characters, or fewest options chosen."),
    )
    maximum = ExactDecimalField(
        _("maximum"),
        max_digits=25,
        decimal_places=10,
        null=True,
        blank=True,
        help_text=_("Largest number, most characters, or most options chosen."),
    )
    pattern = models.CharField(
        _("pattern"),
        max_length=300,
        blank=True,
        default="",
        help_text=_("A regular expression that a whole text value must match."),
    )
    default = models.JSONField(
        _("default"), null=True, blank=True, help_text=_("The value of a new contact.")
    )
    group = models.CharField(
        _("group"),
        max_length=80,
        blank=True,
        default="",
        help_text=_("Heading on the form."),
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects: ClassVar = CustomFieldQuerySet.as_manager()

    class Meta:
        verbose_name = _("custom field")
        verbose_name_plural = _("custom fields")
        ordering = ["group", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "name"],
                name="custom_field_once",
                violation_error_message=_("There is a custom field of this name already."),
                violation_error_code="unique",
            )
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def kind(self) -> types.FieldType[Any]:
        """What values of this field are like: column, parsing, operators, form field."""
        return types.TYPES[self.type]

    @cached_property
    def choices(self) -> dict[str, CustomFieldOption]:
        """The options in their order, by value. No query when they were prefetched."""
        return {option.value: option for option in self.options.all()}


class CustomFieldOption(TenantModel):
    """A choice of a `Select` or `Multi select` field. `value` is what is stored and sent; `label`
    what people see, free to change. `color` is for the admin only."""

    class Color(models.TextChoices):
        NONE = "", _("None")
        GREY = "grey", _("Grey")
        RED = "red", _("Red")
        ORANGE = "orange", _("Orange")
        YELLOW = "yellow", _("Yellow")
        GREEN = "green", _("Green")
        TEAL = "teal", _("Teal")
        BLUE = "blue", _("Blue")
        PURPLE = "purple", _("Purple")
        PINK = "pink", _("Pink")

    field = models.ForeignKey(CustomField, models.CASCADE, related_name="options")
    value = models.CharField(_("value"), max_length=120)
    label = models.CharField(_("label"), max_length=120, blank=True, default="")
    color = models.CharField(
        _("colour"), max_length=10, choices=Color.choices, blank=True, default=Color.NONE
    )
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("option")
        verbose_name_plural = _("options")
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["field", "value"],
                name="custom_field_option_once",
                violation_error_message=_("This option is there twice."),
            )
        ]

    def __str__(self) -> str:
        return self.label or self.value


VALUE_COLUMNS = (
    "value_text",
    "value_long",
    "value_number",
    "value_date",
    "value_bool",
    "value_option",
)


def exactly_one_filled() -> Q:
    """One value column is filled and the others are null."""
    return Q(
        *(
            Q(**{f"{column}__isnull": column != filled for column in VALUE_COLUMNS})
            for filled in VALUE_COLUMNS
        ),
        _connector=Q.OR,
    )


class CustomFieldValue(TenantModel):
    """What a contact has in a custom field. No row: unset. Multi select: a row per option.

    Exactly one `value_` column is filled, which one the field's type says; `multiple` is set where
    that type keeps a row per option. No signal receivers here: they would turn a cascade into a
    row-by-row delete. `customfields.values` is the only writer.
    """

    field = models.ForeignKey(CustomField, models.CASCADE, related_name="values", db_index=False)
    contact = models.ForeignKey(
        Contact, models.CASCADE, related_name="custom_field_values", db_index=False
    )
    multiple = models.BooleanField(default=False, editable=False)
    # Texts have 255 characters, URLs up to 2,000.
    value_text = models.CharField(max_length=2000, null=True)
    value_long = models.TextField(null=True)
    value_number = ExactDecimalField(max_digits=25, decimal_places=10, null=True)
    value_date = models.DateField(null=True)
    value_bool = models.BooleanField(null=True)
    value_option = models.ForeignKey(
        CustomFieldOption, models.PROTECT, null=True, related_name="uses"
    )
    # The value again when the field is unique, else null: what makes "unique" hold at any moment.
    # Null too on a contact that was merged into another.
    unique_key = models.CharField(max_length=2000, null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar = CustomFieldValueQuerySet.as_manager()

    class Meta:
        verbose_name = _("custom field value")
        verbose_name_plural = _("custom field values")
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "field"],
                name="custom_value_once",
                condition=Q(multiple=False),
            ),
            models.UniqueConstraint(
                fields=["contact", "field", "value_option"],
                name="custom_value_option_once",
                condition=Q(multiple=True),
            ),
            models.UniqueConstraint(fields=["field", "unique_key"], name="custom_value_unique"),
            models.CheckConstraint(name="custom_value_one_filled", condition=exactly_one_filled()),
        ]
        indexes = [
            # What a contact has, in all fields or in one: the constraints' own indexes are partial.
            models.Index(fields=["contact", "field"], name="custom_value_of_contact"),
            # Filters and sorts by a field: which contacts have such a value, in its order.
            *(
                models.Index(
                    fields=["field", column, "contact"],
                    name=f"custom_{column}",
                    condition=Q(**{f"{column}__isnull": False}),
                )
                for column in VALUE_COLUMNS
                if column != "value_long"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field_id} of {self.contact_id}"
