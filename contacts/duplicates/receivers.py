"""What happens to contacts, noted for the search, or done to pairs at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from contacts.duplicates import services
from contacts.duplicates.models import DuplicateCheck, DuplicateScan
from contacts.models import Contact, Merge
from contacts.signals import contact_merged, contact_redacted, contact_unmerged, contacts_updated
from organisations.models import Organisation

COMPARED = frozenset(
    {"kind", "firstName", "lastName", "name", "emailAddress", "phoneNumber", "dob", "addresses"}
)
"""What is compared, by the names of the contact's JSON."""


@receiver(contacts_updated, dispatch_uid="duplicates.contacts_updated")
def check_again(
    sender: type[Contact],
    organisation: Organisation,
    ids: Sequence[int],
    fields: Mapping[int, Collection[str]],
    **kwargs: Any,
) -> None:
    """Contacts changed: one INSERT when it was in something that is compared."""
    concerned = [pk for pk in ids if not fields.get(pk) or not COMPARED.isdisjoint(fields[pk])]
    if concerned:
        DuplicateCheck.objects.create(organisation=organisation, contacts=concerned)


@receiver(contact_merged, dispatch_uid="duplicates.contact_merged")
def leave_out_absorbed(sender: type[Merge], merge: Merge, **kwargs: Any) -> None:
    """What was merged is proposed no more."""
    services.merged(merge)


@receiver(contact_unmerged, dispatch_uid="duplicates.contact_unmerged")
def bring_back(sender: type[Merge], merge: Merge, **kwargs: Any) -> None:
    """What the merge said of other pairs is said no more. Both are looked at again."""
    services.unmerged(merge)


@receiver(contact_redacted, dispatch_uid="duplicates.contact_redacted")
def forget(sender: type[Contact], contact: Contact, **kwargs: Any) -> None:
    """Nothing is kept by which to compare what was erased."""
    services.forget(contact)


@receiver(post_save, sender=Organisation, dispatch_uid="duplicates.new_organisation")
def begin(
    sender: type[Organisation], instance: Organisation, created: bool, raw: bool, **kwargs: Any
) -> None:
    """A new organisation's contacts are looked through too."""
    if created and not raw:
        DuplicateScan.objects.create(organisation=instance)
