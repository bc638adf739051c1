"""What a delivery would make of a contact and an activity, without making it.

It is applied by the worker's own code in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from activities.models import Activity
from contacts.models import Contact
from crm import causes, money
from crm.errors import Conflict, in_words
from customfields.querysets import held_by
from integrations import identity
from integrations.changes import Fact
from integrations.desk import Desk
from integrations.memory import Memory, Refused
from integrations.models import Connection
from integrations.wifi.logins import Login
from integrations.wifi.mapped import Mapped, Told, bodies, nobody
from integrations.wifi.meanings import Found

MOST = 3
"""As many things of one delivery as are tried."""

_BY_PATH = {"email_address": "email", "phone_number": "phone", "spend": "amount"}
_COLUMNS = ("name", "first_name", "last_name", "email_address", "phone_number", "dob")


@dataclass(frozen=True)
class Line:
    """Something of the contact that would become another."""

    label: str
    before: str
    after: str


@dataclass
class Outcome:
    """What one thing of a delivery would make. `problems` are by the meaning's name."""

    found: Mapping[str, Found]
    problems: dict[str, str] = field(default_factory=dict)
    error: str = ""
    notes: Sequence[str] = ()
    contact: str = ""
    known: int | None = None
    """The contact that it finds; None for a new one."""
    lines: Sequence[Line] = ()
    fact: Fact | None = None
    recorded: bool = False
    """Whether the activity is known already."""

    @property
    def spend(self) -> str:
        """What was spent, as people write it; empty for nothing."""
        if self.fact is None or not self.fact.spend or self.fact.currency_code is None:
            return ""
        return money.show(self.fact.spend, self.fact.currency_code)


def try_out(connection: Connection, body: Any, mapping: str) -> list[Outcome]:
    """What the first few things that a body has would make, by this mapping. Writes nothing.

    Raises `paths.WrongMapping`.
    """
    kind = Mapped()
    first = bodies(body)[:MOST]
    with transaction.atomic(), causes.quiet():
        try:
            return [
                _try_one(connection, told)
                for told in kind.tell(
                    first if isinstance(body, list) else body, mapping, connection
                )
            ]
        finally:
            transaction.set_rollback(True)


def _try_one(connection: Connection, told: Told) -> Outcome:
    outcome = Outcome(told.found)
    outcome.problems = {one.meaning.name: one.problem for one in told.found.values() if one.problem}
    if told.login is None:
        outcome.error = nobody()
        return outcome
    desk = Desk(Memory(connection))
    try:
        with transaction.atomic():
            _apply(desk, told, told.login, outcome)
    except (ValidationError, Conflict) as error:
        _refused(outcome, error)
    except Refused as refused:
        _refused(outcome, refused.error)
    outcome.notes = desk.notes
    return outcome


def _apply(desk: Desk, told: Told, login: Login, outcome: Outcome) -> None:
    person, fact = login.person(), login.fact()
    before = identity.find(desk, person)
    shown = _shown(before)
    outcome.recorded = _recorded(desk, fact) is not None
    for change in told.changes:
        change.apply(desk)
    desk.memory.settle()
    activity = _recorded(desk, fact)
    contact = activity.contact if activity is not None else identity.find(desk, person)
    if contact is None:
        outcome.error = " ".join(desk.notes)
        return
    outcome.contact = str(contact)
    outcome.known = before.pk if before is not None else None
    now = _shown(contact)
    outcome.lines = [
        Line(label, shown.get(label, ""), now.get(label, ""))
        for label in {**shown, **now}
        if shown.get(label, "") != now.get(label, "")
    ]
    outcome.fact = fact if activity is not None else None


def _refused(outcome: Outcome, error: ValidationError | Conflict) -> None:
    """Beside the value that it is about, where it is about one; else above all."""
    if isinstance(error, Conflict) or not hasattr(error, "error_dict"):
        outcome.error = in_words(error)
        return
    rest = {}
    for path, errors in error.error_dict.items():
        first, _dot, name = path.partition(".")
        meaning = f"custom.{name}" if first == "custom_fields" else _BY_PATH.get(path, path)
        if meaning in outcome.found:
            outcome.problems.setdefault(meaning, " ".join(ValidationError(errors).messages))
        else:
            rest[path] = errors
    outcome.error = (
        in_words(ValidationError(rest))
        if rest
        else _("It would fail: what is wrong stands beside its value.")
    )


def _recorded(desk: Desk, fact: Fact) -> Activity | None:
    rows = Activity.objects.for_organisation(desk.organisation).select_related("contact")
    found: Activity | None = rows.filter(type=fact.type, external_reference=fact.reference).first()
    return found


def _shown(contact: Contact | None) -> dict[str, str]:
    """What a contact holds, by label, as people read it."""
    if contact is None:
        return {}
    rows = Contact.objects.for_organisation(contact.organisation_id)
    contact = rows.get(pk=contact.pk)
    shown = {
        str(Contact._meta.get_field(name).verbose_name): _as_text(getattr(contact, name))  # type: ignore[union-attr]  # a column
        for name in _COLUMNS
    }
    shown |= {str(one.rows[0].field_label): one.display for one in held_by(contact)}
    shown |= {
        _("Consent: %(channel)s") % {"channel": one.get_channel_display()}: one.get_status_display()
        for one in contact.permissions.order_by("channel")
    }
    return {label: value for label, value in shown.items() if value}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return date_format(value) if hasattr(value, "isoformat") else str(value)
