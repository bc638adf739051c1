"""The words for what the definition of a custom field has."""

from __future__ import annotations

from django.utils.translation import gettext as _

from imports.headers import Vocabulary, plain, words

_EXACT = words(
    name="name",
    label="label",
    type="type",
    help_text="helpText",
    options="options",
    required="required",
    unique="unique",
    minimum="minimum",
    maximum="maximum",
    pattern="pattern",
    default="default",
    group="group",
    position="position",
)
_SYNONYMS = words(
    name="Field name, API name, Internal name, Field key, Key, Code, Slug",
    label="Title, Field label, Display name, Field, Custom field, Question, Caption",
    type="Field type, Data type, Kind, Format",
    help_text="Help, Hint, Description, Tooltip, Note, Notes, Instructions",
    options="Choices, Option, Values, Allowed values, Picklist, Select options, Picklist values",
    required="Mandatory, Is required, Compulsory, Obligatory",
    unique="Is unique, No duplicates",
    minimum="Min, Minimum value, Min value, Min length, Minimum length, At least, From",
    maximum="Max, Maximum value, Max value, Max length, Maximum length, At most, To",
    pattern="Regex, Regular expression, Regexp, Validation, Format pattern",
    default="Default value, Initial value, Preset",
    group="Section, Heading, Category, Field group, Group name",
    position="Order, Sort order, Rank, Weight, Sequence, Sort, Place, No",
)

TYPE_SYNONYMS = {
    plain(word): name
    for name, listed in {
        "Text": "String, Single line text, Short text",
        "Textarea": "Long text, Multi line text, Text area, Paragraph",
        "Number": "Integer, Decimal, Float, Numeric",
        "Date": "Day",
        "Boolean": "Checkbox, Yes or no, Yes/No, True/False, Bool",
        "Email": "E-mail, Email address",
        "Phone": "Telephone, Phone number",
        "URL": "Link, Website, Web address",
        "Select": "Dropdown, Drop-down, Choice, Single select, Radio, Picklist, Enum",
        "Multi select": "Multiselect, Multiple choice, Multiple select, Checkboxes, Tags",
    }.items()
    for word in (name, *listed.split(","))
}
"""How files call the types, as `plain` has it."""


def definition_vocabulary() -> Vocabulary:
    """The words for the columns of a file of definitions."""
    kept = _("it is {field}, which is kept by the system and is read-only.")
    return Vocabulary(
        exact=_EXACT,
        synonyms=_SYNONYMS,
        read_only={
            "id": kept.format(field="id"),
            "createdat": kept.format(field="createdAt"),
            "updatedat": kept.format(field="updatedAt"),
            "archivedat": _("archive custom fields, and bring them back, in the admin or the API."),
        },
    )
