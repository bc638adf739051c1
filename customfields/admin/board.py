"""The board of custom fields: groups as they stand on the form, and moves within and among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import IntegerField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from customfields import services
from customfields.models import CustomField
from customfields.services.arranging import in_sections
from organisations.middleware import organisation_of

if TYPE_CHECKING:
    from customfields.admin.definitions import CustomFieldAdmin

ICONS = {
    "Text": "short_text",
    "Textarea": "notes",
    "Number": "tag",
    "Date": "event",
    "Boolean": "toggle_on",
    "Email": "mail",
    "Phone": "call",
    "URL": "link",
    "Select": "radio_button_checked",
    "Multi select": "checklist",
}
MOST = 10_000
# How many contacts have a value, counted no further than MOST: an index scan of so many entries.
# The ORM cannot count what a LIMIT leaves of the rows of each field.
_FILLED = RawSQL(
    "SELECT COUNT(DISTINCT contact_id) FROM (SELECT contact_id FROM customfields_customfieldvalue"
    " WHERE field_id = customfields_customfield.id LIMIT %s) AS counted",
    (MOST + 1,),
    output_field=IntegerField(),
)


@dataclass
class Move:
    """Where a button puts a field: into `group`, behind the field `after` (None: to its top)."""

    group: str
    after: int | None


@dataclass
class GroupMove:
    """What a group is put behind; None: to the top."""

    after: str | None


@dataclass
class Card:
    """A field on the board."""

    row: CustomField
    icon: str
    filled: int
    up: Move | None = None
    down: Move | None = None

    @property
    def capped(self) -> bool:
        """Whether more than `MOST` contacts have a value."""
        return self.filled > MOST


@dataclass
class Section:
    """A group on the board, and whether it can go up and down."""

    name: str
    cards: list[Card] = field(default_factory=list)
    up: GroupMove | None = None
    down: GroupMove | None = None


@dataclass
class Board:
    """All that the page shows."""

    sections: list[Section]
    archived: list[Card]

    @property
    def groups(self) -> list[str]:
        """The names of the groups, in their order."""
        return [section.name for section in self.sections]


def laid_out(rows: QuerySet[CustomField]) -> Board:
    """These fields as a board. One query."""
    counted = rows.annotate(filled=_FILLED)
    cards = [Card(row, ICONS.get(row.type, "edit_note"), row.filled) for row in counted.order_by()]
    by_pk = {card.row.pk: card for card in cards}
    active = in_sections(card.row for card in cards if card.row.archived_at is None)
    board = Board(
        sections=[
            Section(name, [by_pk[row.pk] for row in section]) for name, section in active.items()
        ],
        archived=sorted(
            (card for card in cards if card.row.archived_at is not None),
            key=lambda card: card.row.label,
        ),
    )
    _say_where_to(board)
    return board


def _say_where_to(board: Board) -> None:
    for index, section in enumerate(board.sections):
        before = board.sections[index - 1] if index else None
        after = board.sections[index + 1] if index + 1 < len(board.sections) else None
        if before is not None:
            section.up = GroupMove(board.sections[index - 2].name if index > 1 else None)
        if after is not None:
            section.down = GroupMove(after.name)
        ids = [card.row.pk for card in section.cards]
        for place, card in enumerate(section.cards):
            if place:
                card.up = Move(section.name, ids[place - 2] if place > 1 else None)
            elif before is not None:
                card.up = Move(before.name, before.cards[-1].row.pk)
            if place + 1 < len(ids):
                card.down = Move(section.name, ids[place + 1])
            elif after is not None:
                card.down = Move(after.name, None)


def arrange(admin: CustomFieldAdmin, request: HttpRequest) -> HttpResponse:
    """One move, posted: of a field (`field`, `group`, `after`), of a group (`move_group`,
    `after_group`), or a new name (`rename`, `name`). Answers the board as it is then, to a script;
    to anybody else the page."""
    organisation = organisation_of(request)
    if request.method != "POST":
        return HttpResponseRedirect(admin.url("changelist"))
    if organisation is None or not admin.has_change_permission(request):
        raise PermissionDenied
    told = request.POST
    error = ""
    try:
        if "rename" in told:
            services.rename_group(
                organisation=organisation, group=told["rename"], name=told.get("name", "")
            )
        elif "move_group" in told:
            services.place_group(
                organisation=organisation,
                group=told["move_group"],
                after=told.get("after_group"),
            )
        else:
            row = admin.existing(request, told.get("field", ""))
            row.organisation = organisation
            after = told.get("after", "")
            services.place(
                field=row,
                group=told.get("group", ""),
                after=int(after) if after.isdecimal() and len(after) < 19 else None,
            )
    except CustomField.DoesNotExist:
        error = _("This field was deleted meanwhile.")
    except ValidationError as refused:
        error = " ".join(refused.messages)
    if request.headers.get("X-Requested-With") != "fetch":
        if error:
            messages.error(request, error)
        return HttpResponseRedirect(admin.url("changelist"))
    return render(
        request,
        "admin/customfields/board.html",
        {**board_context(admin, request), "error": error},
        status=422 if error else 200,
    )


def board_context(admin: CustomFieldAdmin, request: HttpRequest) -> dict[str, Any]:
    """What the board's template needs. One query."""
    return {
        "board": laid_out(admin.get_queryset(request)),
        "may_arrange": admin.has_change_permission(request),
        "most": MOST,
    }
