"""What other apps hang on a contact.

Custom fields, activities, credit and external ids each belong to an app that imports `contacts`,
so `contacts` cannot import them. They register a `ContactPart` here from their `AppConfig.ready`,
and the contact's serializer, its services, merge and redaction go through all of them. Adding
something to a contact is adding one part (docs/decisions/0002-contact-parts.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, prefetch_related_objects

if TYPE_CHECKING:
    from django.db.models import Prefetch
    from rest_framework.serializers import Field

    from contacts.models import Contact, Merge
    from contacts.querysets import ContactQuerySet
    from organisations.models import Organisation


@dataclass(frozen=True)
class Sorting:
    """How to sort contacts by something that not all of them have.

    Two querysets, because one that keeps the unset ones in an outer join cannot be read from an
    index: those that have it, which `path` (a lookup of theirs, never null) sorts; and the others,
    which come last in either direction, by id.
    """

    having: ContactQuerySet
    lacking: ContactQuerySet
    path: str
    tie: str = "pk"
    """The lookup of the contact's id that the index on `path` ends with."""


class ContactPart:
    """One app's share of a contact. Every method has a default that does nothing."""

    name: str
    """Stable: stored with merges."""

    def fields(self) -> Mapping[str, Field[Any, Any, Any, Any]]:
        """The serializer fields this part adds to a contact's JSON, by their JSON name."""
        return {}

    def written_keys(self) -> frozenset[str]:
        """The JSON keys that may be written: what `clean` takes. By default the fields that are
        not read-only."""
        return frozenset(name for name, field in self.fields().items() if not field.read_only)

    def prefetch(self) -> Iterable[Prefetch[Any] | str]:
        """What to fetch with a page of contacts so that `represent` needs no query."""
        return ()

    def attach(self, contacts: Sequence[Contact]) -> None:
        """Fetch for a page of contacts what `represent` needs, by default with `prefetch`. To be
        overridden where a statement written by hand is worth it."""
        prefetch_related_objects(contacts, *self.prefetch())

    def represent(self, contact: Contact) -> Mapping[str, Any]:
        """This part's read keys of the contact's JSON."""
        return {}

    def clean(
        self,
        organisation: Organisation,
        contact: Contact | None,
        given: Mapping[str, Any],
    ) -> Any:
        """Check the written JSON keys of this part (`given` holds only those that were sent).

        `contact` is None when it is about to be created. Answers what `write` wants; raises
        Django's `ValidationError` with a dict of paths.
        """
        return None

    def write(self, contact: Contact, cleaned: Any) -> bool | Collection[str]:
        """Store what `clean` answered, in the caller's transaction. True when anything changed, or
        the JSON names of what did: as a mapping with [before, after] where the contact's history is
        to tell, with None where this part keeps its own."""
        return False

    def clean_many(
        self,
        organisation: Organisation,
        rows: Sequence[tuple[Contact | None, Mapping[str, Any]]],
    ) -> list[Any]:
        """`clean` for each row of a batch: what `write_many` wants, or the row's ValidationError
        as a value. To be overridden where a batch can share its queries."""
        return [self._clean_one(organisation, contact, given) for contact, given in rows]

    def _clean_one(
        self, organisation: Organisation, contact: Contact | None, given: Mapping[str, Any]
    ) -> Any:
        try:
            return self.clean(organisation, contact, given)
        except ValidationError as error:
            return error

    def write_many(
        self, rows: Sequence[tuple[Contact, Any]]
    ) -> Collection[int] | Mapping[int, Collection[str]]:
        """`write` for each row of a batch, each of another contact; answers the ids of the
        contacts that changed, as a mapping with the JSON names of what did. An error undoes the
        batch, which is then written row by row."""
        return {contact.pk for contact, cleaned in rows if self.write(contact, cleaned)}

    def merge(self, merge: Merge) -> Mapping[str, Sequence[Any]] | None:
        """Move this part's rows from `merge.absorbed` to `merge.survivor`, noting them as
        `MergedRow`s. What of the survivor's JSON changed by it, as `write` tells it."""
        return None

    def unmerge(self, merge: Merge) -> Mapping[str, Sequence[Any]] | None:
        """Put back what `merge` moved. What of the survivor's JSON changed by it."""
        return None

    def labels(self, organisation: Organisation) -> Mapping[str, str]:
        """What people call that of which this part tells the history, by its JSON names."""
        return {}

    def texts(self, contact: Contact) -> Mapping[str, str]:
        """What the contact has now of that, as the history has it; without what is unset."""
        return {}

    def redact(self, contact: Contact) -> None:
        """Erase this part's personal data, what its `MergedRow`s remember included."""

    def parameters(self) -> Sequence[Mapping[str, Any]]:
        """The query parameters this part adds to the contact list, as OpenAPI parameter objects
        (`name`, `description`, `schema`, …; `in` is always `query`)."""
        return ()

    def claims(self, parameter: str) -> bool:
        """Whether this query parameter of the contact list is this part's to read, such as
        `customField[dietary_preference][contains]`."""
        return False

    def narrow(
        self,
        contacts: ContactQuerySet,
        organisation: Organisation,
        parameters: Mapping[str, Sequence[str]],
    ) -> ContactQuerySet:
        """Only the contacts that fit `parameters`: those that this part claims, each with all its
        values. Raises `ValidationError` with a dict of parameter names (400 in the API)."""
        return contacts

    def sorting(
        self, contacts: ContactQuerySet, organisation: Organisation, name: str
    ) -> Sorting | None:
        """How to sort by `order[name]`, such as `customField.visits`; None when this part knows
        no such name."""
        return None

    def erase(self, contact: Contact) -> None:
        """Delete this part's rows ahead of the contact's own, where a cascade would be slow."""


def note_rows(merge: Merge, part: str, model: type[Model]) -> None:
    """Write down which rows of `model` are the absorbed contact's, in one INSERT … SELECT."""
    from contacts.models import MergedRow

    quoted = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quoted(MergedRow._meta.db_table)} (merge_id, part, row_id)"  # noqa: S608
            f" SELECT %s, %s, id FROM {quoted(model._meta.db_table)} WHERE contact_id = %s",
            [merge.pk, part, merge.absorbed_id],
        )


PARTS: list[ContactPart] = []


def register(part: ContactPart) -> None:
    """Make `part` one of every contact's. Called from `AppConfig.ready`."""
    if all(known.name != part.name for known in PARTS):
        PARTS.append(part)
