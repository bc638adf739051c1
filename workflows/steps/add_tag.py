"""Puts a tag on the contact, or takes it off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts import services
from contacts.models import Tag
from contacts.services.tags import MANAGED
from contacts.services.values import read_tag_name
from workflows import checks, inputs
from workflows.steps.base import CleanContext, Done, Family, GiveUp, Moment, Outcome, Step, step
from workflows.words import Said


class TagStep(Step):
    """`{"tag": "VIP"}`."""

    keys = frozenset({"tag"})
    family = Family.CONTACT
    form = (inputs.Tag("tag", gettext_lazy("Tag"), required=True),)

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return str(data["tag"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        with errors.at("tag"):
            name = read_tag_name(checks.text(data.get("tag"), longest=100))
            there = Tag.objects.for_organisation(context.organisation).named(name).first()
            if there is not None and there.kind in MANAGED:
                raise checks.error(
                    _("%(name)s is put on by a rule, not by a workflow."),
                    "managed_tag",
                    name=there.name,
                )
        errors.raise_if_any()


@step
class AddTag(TagStep):
    """The tag is made, as a workflow's, when it is new."""

    type = "add_tag"
    label = gettext_lazy("Add a tag")
    hint = gettext_lazy("Puts a word on the contact, for segments and filters to find.")
    icon = "sell"

    def told(self, output: Mapping[str, Any]) -> str:
        return _("Put on.") if output["added"] else _("It was on already.")

    def run(self, moment: Moment) -> Outcome:
        refuse_redacted(moment)
        added = services.tag(
            contacts=moment.contact, name=moment.data["tag"], kind=Tag.Kind.WORKFLOW
        )
        return Done({"added": bool(added)})


@step
class RemoveTag(TagStep):
    """Nothing happens when the contact has no such tag."""

    type = "remove_tag"
    label = gettext_lazy("Remove a tag")
    hint = gettext_lazy("Takes a word off the contact.")
    icon = "label_off"

    def told(self, output: Mapping[str, Any]) -> str:
        return _("Taken off.") if output["removed"] else _("It was not on.")

    def run(self, moment: Moment) -> Outcome:
        removed = services.untag(
            contacts=moment.contact, name=moment.data["tag"], kind=Tag.Kind.WORKFLOW
        )
        return Done({"removed": bool(removed)})


def refuse_redacted(moment: Moment) -> None:
    """Raise GiveUp for a contact whose data was erased."""
    if moment.contact.redacted_at is not None:
        raise GiveUp(_("The contact's data was erased."))
