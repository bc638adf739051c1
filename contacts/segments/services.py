"""Making, changing and deleting segments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import identity
from contacts.models import ContactTag, Tag
from contacts.rules import Reading, Rule, parse
from contacts.segments import queue
from contacts.segments.models import Segment
from contacts.segments.rules import segments_named, tags_named
from contacts.services.values import read_tag_name
from crm.errors import Conflict
from organisations.models import Organisation
from organisations.services import set_listening

MOST_SEGMENTS = 200
"""In one organisation: each of them is asked for every contact that changes."""
_BATCH = 2000


@transaction.atomic
def create(*, organisation: Organisation, name: str, rules: Any) -> Segment:
    """A new segment and its tag. The worker looks through all contacts at once.

    Raises ValidationError by path (`rules.all.0.operator`); Conflict when there is a tag of this
    name.
    """
    tidy = _read_name(name)
    there = _held(organisation)
    if len(there) >= MOST_SEGMENTS:
        raise Conflict(_("At most %(most)d segments.") % {"most": MOST_SEGMENTS})
    rule = read_rules(organisation, rules)
    _refuse_tag(organisation, tidy)
    tag = Tag.objects.create(organisation=organisation, name=tidy, kind=Tag.Kind.SEGMENT)
    segment = Segment(organisation=organisation, name=tidy, rules=rules, tag=tag)
    _refuse_cycle(organisation, there, segment, rule)
    segment.save(force_insert=True)
    set_listening(organisation=organisation, owner=queue.LISTENER, kinds=["contacts"])
    return segment


@transaction.atomic
def change(*, segment: Segment, values: Mapping[str, Any]) -> Segment:
    """Change its `name` (and its tag's) or its `rules`. With another rule the worker looks through
    all contacts again, also for the segments that name this one.

    Raises as `create`, and Conflict for a new name where other rules name the tag.
    """
    organisation = segment.organisation
    there = _held(organisation)
    current = next((one for one in there if one.pk == segment.pk), None)
    if current is None:
        raise Segment.DoesNotExist
    current.organisation = organisation
    if "name" in values:
        _rename(current, _read_name(values["name"]), there)
    if "rules" in values and values["rules"] != current.rules:
        rule = read_rules(organisation, values["rules"], segment=current)
        current.rules = values["rules"]
        _refuse_cycle(organisation, there, current, rule)
        _start_over([current, *_naming(organisation, current, there)])
    current.save()
    return current


@transaction.atomic
def delete(*, segment: Segment) -> None:
    """Delete the segment and take its tag off every contact; nobody "leaves" it.

    Raises Conflict when the rule of another segment names it or its tag.
    """
    organisation = segment.organisation
    there = _held(organisation)
    _refuse_named(_naming(organisation, segment, there))
    Segment.objects.for_organisation(organisation).filter(pk=segment.pk).delete()
    links = ContactTag.objects.for_organisation(organisation).filter(tag=segment.tag_id)
    links._raw_delete(links.db)
    Tag.objects.for_organisation(organisation).filter(pk=segment.tag_id).delete()
    if len(there) <= 1:
        set_listening(organisation=organisation, owner=queue.LISTENER, kinds=[])


def read_rules(organisation: Organisation, rules: Any, *, segment: Segment | None = None) -> Rule:
    """The rule of a segment. Raises ValidationError with paths under `rules`, also when it comes
    back to `segment` itself."""
    reading = Reading(organisation)
    if segment is not None:
        reading.within = (segment.pk,)
    try:
        return parse(rules, organisation=organisation, reading=reading)
    except ValidationError as error:
        raise ValidationError(
            {f"rules.{path}".rstrip("."): found for path, found in error.error_dict.items()}
        ) from None


def _held(organisation: Organisation) -> list[Segment]:
    """All segments, as they stay until the transaction ends: two changes at once take turns."""
    Organisation.objects.select_for_update(no_key=True).filter(pk=organisation.pk).first()
    return list(Segment.objects.for_organisation(organisation).select_related("tag").held())


def _read_name(given: Any) -> str:
    try:
        return read_tag_name(given)
    except ValidationError as error:
        raise ValidationError({"name": error}) from None


def _refuse_tag(organisation: Organisation, name: str, *, but: int = 0) -> None:
    taken = Tag.objects.for_organisation(organisation).named(name).exclude(pk=but).first()
    if taken is not None:
        raise Conflict(
            _("There is a tag %(name)s already; a segment needs one of its own.")
            % {"name": taken.name},
            [taken.pk],
        )


def _rename(segment: Segment, name: str, there: Sequence[Segment]) -> None:
    if name == segment.name:
        return
    _refuse_tag(segment.organisation, name, but=segment.tag_id)
    if identity.fold(name) != segment.tag.key:
        naming = [
            one
            for one, rule in _read_all(segment.organisation, there)
            if segment.tag.key in tags_named(rule)
        ]
        _refuse_named(naming)
    segment.tag.name = segment.name = name
    segment.tag.save()


def _read_all(
    organisation: Organisation, segments: Iterable[Segment]
) -> list[tuple[Segment, Rule]]:
    """The segments whose rules can be read."""
    reading = Reading(organisation)
    read = []
    for segment in segments:
        try:
            read.append((segment, parse(segment.rules, organisation=organisation, reading=reading)))
        except ValidationError:
            continue
    return read


def _naming(
    organisation: Organisation, segment: Segment, there: Sequence[Segment]
) -> list[Segment]:
    """The others whose rules name this segment or its tag."""
    return [
        one
        for one, rule in _read_all(organisation, there)
        if one.pk != segment.pk
        and (segment.pk in segments_named(rule) or segment.tag.key in tags_named(rule))
    ]


def _refuse_named(naming: Collection[Segment]) -> None:
    if naming:
        raise Conflict(
            _("The rule of %(names)s names it. Change that first.")
            % {"names": ", ".join(one.name for one in naming)},
            [one.pk for one in naming],
        )


def _refuse_cycle(
    organisation: Organisation, there: Sequence[Segment], changed: Segment, rule: Rule
) -> None:
    """Raise ValidationError when, through tags of segments, the rule comes back to its own."""
    rules = {one.tag.key: found for one, found in _read_all(organisation, there)}
    rules[changed.tag.key] = rule
    seen: set[str] = set()
    waiting = [*(tags_named(rule) & rules.keys())]
    while waiting:
        key = waiting.pop()
        if key == changed.tag.key:
            raise ValidationError(
                {
                    "rules": ValidationError(
                        _("Through the tags of segments this rule refers back to itself."),
                        code="cycle",
                    )
                }
            )
        if key not in seen:
            seen.add(key)
            waiting += tags_named(rules[key]) & rules.keys()


def _start_over(segments: Sequence[Segment]) -> None:
    """Look through all contacts for these again, from the first."""
    now = timezone.now()
    for segment in segments:
        segment.due_at, segment.done_up_to, segment.error = now, 0, ""
    Segment.objects.across_organisations().filter(pk__in=[one.pk for one in segments]).update(
        due_at=now, done_up_to=0, error=""
    )
