"""What other apps show of a contact in the admin.

The counterpart of `contacts.parts`: custom fields, activities and imports import `contacts`, so
they register a `ContactPanel` from their `admin` module, and the contact's form, list, merge
preview and confirmation pages go through all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from django.contrib.admin import ListFilter
    from django.forms import Field, Form
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    from contacts.models import Contact
    from crm.admin.columns import Column


class Compared(NamedTuple):
    """A line of the merge preview: what each has, and what the survivor will have."""

    label: str
    survivor: str
    absorbed: str
    result: str


class Figure(NamedTuple):
    """A number at the top of the page."""

    label: str
    value: Any
    url: str = ""
    """Where it comes from."""
    about: str = ""
    """What it means, or what is found at `url`."""


class Composer(NamedTuple):
    """A small form on the page, sent in the background (`contacts.admin.composing`)."""

    name: str
    label: str
    icon: str
    form: Form
    url: str
    submit: str
    """What the button says."""
    more: tuple[str, str] = ("", "")
    """A link to the whole form, where there is one: (label, address)."""
    media: Any = ""
    """What its widgets need."""
    position: int = 100


class BulkAction(NamedTuple):
    """An action on chosen contacts. `run` answers a response, or None to go back to the list."""

    name: str
    label: str
    permission: str
    run: Any
    """(admin, request, contacts) → HttpResponse | None"""


class ContactPanel:
    """One app's share of a contact's pages. Every method has a default that does nothing.

    They are called only for staff who work in an organisation, the contact's.
    """

    name: str
    position = 100
    stylesheets: Sequence[str] = ()
    """Static files that its share of the contact's page needs."""

    def form_fields(self, request: HttpRequest, contact: Contact | None) -> dict[str, Field]:
        """Fields that the contact's form gets, with their initial values."""
        return {}

    def fieldsets(
        self, request: HttpRequest, contact: Contact | None
    ) -> Sequence[tuple[str | None, Mapping[str, Any]]]:
        """The headings under which those fields stand."""
        return ()

    def values(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """What the contact's service is given for the changed fields of the form."""
        return {}

    def field_of(self, path: str) -> str | None:
        """The form field that an error path of the service is about, if it is this panel's."""
        return None

    # The page of a contact. What these show may change with what is written there, so each is
    # asked again then; at a cost that does not grow with the contact's past.

    def figures(self, request: HttpRequest, contact: Contact) -> Sequence[Figure]:
        """Numbers at the top."""
        return ()

    def now(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        """What matters now: HTML above the timeline."""
        return ""

    def composers(self, request: HttpRequest, contact: Contact) -> Sequence[Composer]:
        """What can be written without leaving."""
        return ()

    def beside(self, request: HttpRequest, contact: Contact) -> SafeString | str:
        """HTML beside the timeline."""
        return ""

    def filters(self, request: HttpRequest) -> list[type[ListFilter]]:
        """Filters of the list."""
        return []

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Columns that may be put into the list."""
        return ()

    def bulk_actions(self) -> Sequence[BulkAction]:
        """Actions of the list."""
        return ()

    def list_buttons(self, request: HttpRequest) -> Sequence[Mapping[str, str]]:
        """Buttons above the list, each with `title`, `icon` and `path`."""
        return ()

    def compare(self, survivor: Contact, absorbed: Contact) -> Sequence[Compared]:
        """Lines of the merge preview."""
        return ()

    def erased(self, contact: Contact) -> Sequence[str]:
        """What redacting erases of this panel's, in words."""
        return ()

    def deleted(self, contact: Contact) -> Sequence[str]:
        """What deleting the contact deletes of this panel's, in words."""
        return ()


PANELS: list[ContactPanel] = []


def register(panel: ContactPanel) -> None:
    """Show `panel` with every contact. Called when an app's `admin` module is read."""
    if all(known.name != panel.name for known in PANELS):
        PANELS.append(panel)
        PANELS.sort(key=lambda one: one.position)
