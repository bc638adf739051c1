"""What happens to contacts: new, changed, tags, segments, referrals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.identity import fold
from contacts.models import ContactTag
from contacts.querysets import ContactQuerySet
from contacts.segments.models import Segment
from contacts.serializers import ContactSerializer
from workflows import checks, events, inputs
from workflows.steps.base import CleanContext
from workflows.triggers.base import Happening, Trigger, trigger
from workflows.words import Said, several


@trigger
class ContactCreated(Trigger):
    """A new contact, from whichever door but history."""

    type = "contact_created"
    label = gettext_lazy("A contact is created")
    hint = gettext_lazy("From whichever door but an import of history.")
    icon = "person_add"
    event = events.CONTACT_CREATED


@trigger
class ContactUpdated(Trigger):
    """`{"fields": ["emailAddress", "customFields.diet", "tags"]}`; any change without."""

    type = "contact_updated"
    label = gettext_lazy("A contact changes")
    hint = gettext_lazy("Any field, or those that you choose.")
    icon = "manage_accounts"
    event = events.CONTACT_UPDATED
    keys = frozenset({"fields"})
    form = (
        inputs.ContactFields(
            "fields", gettext_lazy("Any of these fields"), help=gettext_lazy("None chosen: any.")
        ),
    )

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return several(data.get("fields"))

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        given = data.get("fields")
        if given is not None and (
            not isinstance(given, list) or not all(isinstance(one, str) for one in given)
        ):
            errors["fields"] = checks.error(_("Give a list of fields."), "not_a_list")
        elif given:
            known = {
                name for name, field in ContactSerializer().fields.items() if not field.read_only
            }
            for index, name in enumerate(given):
                if name.partition(".")[0] not in known:
                    errors[f"fields.{index}"] = checks.error(
                        _("A contact has no %(name)s that can be changed."),
                        "unknown_field",
                        name=name[:80],
                    )
        errors.raise_if_any()

    def takes(self, data: Mapping[str, Any], happening: Happening) -> bool:
        wanted = data.get("fields")
        changed = happening.payload.get("fields")
        if not wanted or changed is None:
            return True
        heads = {name.partition(".")[0] for name in changed} | set(changed)
        return not heads.isdisjoint(wanted)


class TagTrigger(Trigger):
    """`{"tag": "VIP"}`; any tag without."""

    keys = frozenset({"tag"})
    form = (inputs.Tag("tag", gettext_lazy("Tag"), help=gettext_lazy("Empty: any tag.")),)

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return str(data.get("tag") or "")

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        if data.get("tag") is not None:
            try:
                checks.text(data["tag"], longest=100)
            except ValidationError as error:
                raise ValidationError({"tag": error}) from None

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        if data.get("tag") is None:
            return [self.event]
        return [events.detail(self.event, fold(data["tag"]))]

    def takes(self, data: Mapping[str, Any], happening: Happening) -> bool:
        wanted = data.get("tag")
        return wanted is None or fold(wanted) == fold(happening.payload.get("tag", ""))


@trigger
class TagAdded(TagTrigger):
    """By hand, by a rule, or by another workflow."""

    type = "tag_added"
    label = gettext_lazy("A tag is put on")
    hint = gettext_lazy("By hand, by a segment, or by another workflow.")
    icon = "sell"
    event = events.TAG_ADDED

    def existing(
        self, data: Mapping[str, Any], contacts: ContactQuerySet, now: datetime
    ) -> ContactQuerySet | None:
        links = ContactTag.objects.across_organisations()
        if data.get("tag") is not None:
            links = links.filter(tag__key=fold(data["tag"]))
        return contacts.filter(pk__in=links.values("contact"))


@trigger
class TagRemoved(TagTrigger):
    """By hand, by a rule, or by another workflow."""

    type = "tag_removed"
    label = gettext_lazy("A tag is taken off")
    hint = gettext_lazy("By hand, by a segment, or by another workflow.")
    icon = "label_off"
    event = events.TAG_REMOVED
    momentary = True


class SegmentTrigger(Trigger):
    """`{"segment": 12}`."""

    keys = frozenset({"segment"})
    form = (inputs.Segment("segment", gettext_lazy("Segment"), required=True),)
    refers = {"segment": "contacts.Segment"}

    def summary(self, data: Mapping[str, Any], said: Said) -> str:
        return said.segment(data["segment"])

    def clean(self, data: Mapping[str, Any], context: CleanContext) -> None:
        errors = checks.Errors()
        given = data.get("segment")
        segments = Segment.objects.for_organisation(context.organisation)
        if given is None:
            errors["segment"] = checks.required()
        elif type(given) is not int or not 0 < given < 2**63:
            errors["segment"] = checks.error(_("Give the id of a segment."))
        elif not segments.filter(pk=given).exists():
            errors["segment"] = checks.error(
                _("There is no segment %(id)s."), "does_not_exist", id=given
            )
        errors.raise_if_any()

    def listens(self, data: Mapping[str, Any]) -> Sequence[str]:
        return [events.detail(self.event, str(data["segment"]))]

    def takes(self, data: Mapping[str, Any], happening: Happening) -> bool:
        return bool(happening.payload.get("segment") == data["segment"])


@trigger
class SegmentEntered(SegmentTrigger):
    """The contact fits the segment's rule and did not before."""

    type = "segment_entered"
    label = gettext_lazy("A contact enters a segment")
    hint = gettext_lazy("They fit its rule, and did not before.")
    icon = "login"
    event = events.SEGMENT_ENTERED

    def existing(
        self, data: Mapping[str, Any], contacts: ContactQuerySet, now: datetime
    ) -> ContactQuerySet | None:
        links = ContactTag.objects.across_organisations().filter(
            tag__in=Segment.objects.across_organisations().filter(pk=data["segment"]).values("tag")
        )
        return contacts.filter(pk__in=links.values("contact"))


@trigger
class SegmentLeft(SegmentTrigger):
    """The contact fitted the segment's rule and does no longer."""

    type = "segment_left"
    label = gettext_lazy("A contact leaves a segment")
    hint = gettext_lazy("They fitted its rule, and do no longer.")
    icon = "logout"
    event = events.SEGMENT_LEFT
    momentary = True


@trigger
class ReferralCompleted(Trigger):
    """Whoever a contact invited came. The run is the inviting contact's."""

    type = "referral_completed"
    label = gettext_lazy("A referral is completed")
    hint = gettext_lazy("Whoever the contact invited came.")
    icon = "share"
    event = events.REFERRAL_COMPLETED
    momentary = True
