"""Tags, and putting them on contacts."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from contacts import identity
from contacts.history import recording
from contacts.history.recording import Pair
from contacts.models import Contact, ContactTag, Tag
from contacts.querysets import ContactQuerySet
from contacts.services import news
from contacts.services.values import read_tag_name
from crm.errors import Conflict
from organisations.models import Organisation

MANAGED = frozenset({Tag.Kind.SEGMENT, Tag.Kind.SYSTEM})
"""Kinds of tag that follow a rule: nobody puts them on or takes them off by hand."""

_BATCH = 2000


@transaction.atomic
def create_tag(
    *, organisation: Organisation, name: str, kind: str = Tag.Kind.MANUAL
) -> tuple[Tag, bool]:
    """The tag of this name, made when it is new; whether it is."""
    tidy = _named(name)
    tag, created = Tag.objects.for_organisation(organisation).get_or_create(
        organisation=organisation,
        key=identity.fold(tidy),
        defaults={"name": tidy, "kind": kind},
    )
    return tag, created


@transaction.atomic
def delete_tag(*, tag: Tag) -> None:
    """Delete the tag and take it off every contact. Raises Conflict for one that follows a rule."""
    _refuse_managed([tag])
    links = ContactTag.objects.filter(organisation=tag.organisation_id).filter(tag=tag)
    while ids := list(links.values_list("pk", "contact_id")[:_BATCH]):
        links.filter(pk__in=[pk for pk, _contact in ids]).delete()
        _told(tag.organisation, tag, [contact for _pk, contact in ids], added=False)
    tag.delete()


@transaction.atomic
def tag(*, contacts: Contact | ContactQuerySet, name: str, kind: str = Tag.Kind.MANUAL) -> int:
    """Put the tag of this name, made when it is new, on these contacts; answers on how many it
    was not yet.

    `kind` is what a new tag becomes; with `segment` or `system` the caller is that rule itself.
    Raises Conflict when the tag there follows a rule and the caller is not it.
    """
    added = 0
    for organisation, ids in _by_organisation(contacts):
        one, _created = create_tag(organisation=organisation, name=name, kind=kind)
        if kind not in MANAGED:
            _refuse_managed([one])
        links = ContactTag.objects.filter(organisation=organisation, tag=one)
        has = set(links.filter(contact__in=ids).values_list("contact_id", flat=True))
        new = [pk for pk in ids if pk not in has]
        ContactTag.objects.bulk_create(
            (ContactTag(organisation=organisation, contact_id=pk, tag=one) for pk in new),
            ignore_conflicts=True,
        )
        _told(organisation, one, new, added=True)
        added += len(new)
    return added


@transaction.atomic
def untag(*, contacts: Contact | ContactQuerySet, name: str, kind: str = Tag.Kind.MANUAL) -> int:
    """Take the tag of this name off these contacts; answers how many had it. See `tag`."""
    removed = 0
    for organisation, ids in _by_organisation(contacts):
        one = Tag.objects.for_organisation(organisation).named(name).first()
        if one is None:
            continue
        if kind not in MANAGED:
            _refuse_managed([one])
        links = ContactTag.objects.filter(organisation=organisation, tag=one)
        had = list(links.filter(contact__in=ids).values_list("contact_id", flat=True))
        links.filter(contact__in=had).delete()
        _told(organisation, one, had, added=False)
        removed += len(had)
    return removed


def _told(organisation: Organisation, tag: Tag, ids: Sequence[int], *, added: bool) -> None:
    if tag.kind != Tag.Kind.SEGMENT:  # which says itself who entered and left
        recording.tagged(organisation, tag, ids, added=added)
    news.updated(organisation, dict.fromkeys(ids, frozenset({"tags"})))
    news.tagged(organisation, ((tag, pk) for pk in ids), added=added)


def replace(contact: Contact, names: Sequence[str], *, new: bool = False) -> Pair | None:
    """Make these the tags that people put on the contact; those that follow a rule, and those that
    a workflow put on, stay. The names of those taken off and of those put on, if any were.

    Raises ValidationError for a tag that follows a rule and that the contact does not carry.
    """
    wanted = {identity.fold(name): name for name in names}
    has = {} if new else {tag.key: tag for tag in contact.tags.all()}
    lost = dropped(has, wanted)
    missing = {key: name for key, name in wanted.items() if key not in has}
    added: dict[str, Tag] = {}
    if lost:
        contact.tag_links.filter(tag__in=lost).delete()
    if missing:
        added = ensure(contact.organisation, missing.values())
        refuse_rules(added.values())
        ContactTag.objects.bulk_create(
            (
                ContactTag(organisation_id=contact.organisation_id, contact=contact, tag=tag)
                for tag in added.values()
            ),
            ignore_conflicts=True,
        )
        news.tagged(contact.organisation, ((tag, contact.pk) for tag in added.values()), added=True)
    news.tagged(contact.organisation, ((tag, contact.pk) for tag in lost), added=False)
    if not lost and not missing:
        return None
    return [[tag.name for tag in lost], [tag.name for tag in added.values()]]


def dropped(carried: Mapping[str, Tag], wanted: Container[str]) -> list[Tag]:
    """Which of the carried tags go when people want `wanted` (keys): only those put on by hand."""
    return [
        tag for key, tag in carried.items() if key not in wanted and tag.kind == Tag.Kind.MANUAL
    ]


def ensure(organisation: Organisation, names: Iterable[str]) -> dict[str, Tag]:
    """The tags of these names by their key, made where they are new. One query when all are there,
    three when not."""
    wanted = {identity.fold(name): name for name in names}
    tags = Tag.objects.for_organisation(organisation).filter(key__in=wanted)
    found = {tag.key: tag for tag in tags}
    missing = [name for key, name in wanted.items() if key not in found]
    if missing:
        # Somebody else may be making the same one: theirs is as good.
        Tag.objects.bulk_create(
            [Tag(organisation=organisation, name=name) for name in missing], ignore_conflicts=True
        )
        found = {tag.key: tag for tag in tags.all()}
    return found


def refuse_rules(tags: Iterable[Tag]) -> None:
    """Raise ValidationError for a tag that nobody puts on by hand."""
    for tag in tags:
        if tag.kind in MANAGED:
            raise ValidationError(
                {
                    "tags": ValidationError(
                        _("%(name)s is put on by a rule, not by hand."),
                        code="managed_tag",
                        params={"name": tag.name},
                    )
                }
            )


def _refuse_managed(tags: Iterable[Tag]) -> None:
    for tag in tags:
        if tag.kind in MANAGED:
            raise Conflict(
                _("%(name)s is put on and taken off by a rule, not by hand.") % {"name": tag.name},
                [tag.pk],
            )


def _named(name: str) -> str:
    try:
        return read_tag_name(name)
    except ValidationError as error:
        raise ValidationError({"name": error}) from error


def _by_organisation(
    contacts: Contact | ContactQuerySet,
) -> Iterator[tuple[Organisation, list[int]]]:
    """The contacts' ids in batches, each of one organisation."""
    if isinstance(contacts, Contact):
        yield contacts.organisation, [contacts.pk]
        return
    owners: dict[int, list[int]] = {}
    for owner, pk in contacts.order_by("pk").values_list("organisation_id", "pk").iterator():
        owners.setdefault(owner, []).append(pk)
    for organisation in Organisation.objects.filter(pk__in=owners).order_by("pk"):
        ids = owners[organisation.pk]
        for start in range(0, len(ids), _BATCH):
            yield organisation, ids[start : start + _BATCH]
