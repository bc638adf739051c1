"""Reading a rule from JSON: every error is found, each with its path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.rules.fields import Clause, Field, registry
from contacts.rules.groups import Group, Kind
from contacts.rules.moments import At
from contacts.rules.operators import Operator
from organisations.models import Organisation

DEEPEST = 8
"""How many groups may stand within each other."""
MOST_CLAUSES = 100
GROUPS: tuple[Kind, ...] = ("all", "any", "none")

T = TypeVar("T")


@dataclass
class _Size:
    clauses: int = 0


class Reading:
    """A rule being read: whose, about what, what is wrong, and what was looked up on the way.

    Several rules of an organisation are read with the lookups of one when `again` makes the next.
    """

    def __init__(self, organisation: Organisation, about: Collection[str] = ("contact",)) -> None:
        self.organisation = organisation
        self.about = frozenset(about)
        self.at = At.of(organisation, timezone.now())
        self.errors: dict[str, ValidationError] = {}
        self.within: tuple[int, ...] = ()
        """The segments whose rules are being read, from the outside in."""
        self._kept: dict[Any, Any] = {}
        self._size = _Size()

    def again(self, within: tuple[int, ...] = ()) -> Reading:
        """Another rule of the same organisation."""
        other = Reading(self.organisation, self.about)
        other._kept = self._kept
        other.within = within
        return other

    def kept(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` answered the first time: lookups, made once for all rules read together."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def rule(self, data: Any) -> Group | Clause | None:
        """What `data` says; None when `errors` has something."""
        found = self._node(data, "", 1)
        return None if self.errors else found

    def refuse(self, path: str, error: ValidationError | str, code: str = "invalid") -> None:
        """Note what is wrong there."""
        if not isinstance(error, ValidationError):
            error = ValidationError(error, code=code)
        self.errors.setdefault(path.rstrip("."), error)

    def refuse_keys(self, path: str, data: Mapping[str, Any], known: Collection[str]) -> None:
        """Note the keys that are not among `known`."""
        for key in data:
            if key not in known:
                self.refuse(
                    f"{path}{str(key)[:60]}",
                    _("There is no such key here; there are %(keys)s.")
                    % {"keys": ", ".join(sorted(known))},
                    "unknown_key",
                )

    def operator(
        self,
        path: str,
        data: Mapping[str, Any],
        field: Field,
        operators: Mapping[str, Operator] | None = None,
    ) -> Operator | None:
        """The operator that `data` names, of those that `field` has."""
        known = field.operators if operators is None else operators
        name = data.get("operator")
        operator = known.get(name) if isinstance(name, str) else None
        if operator is None:
            given = name[:40] if isinstance(name, str) else ""
            sentence = (
                _("%(field)s has no operator %(operator)s; its operators are %(operators)s.")
                if given
                else _("%(field)s needs an operator: %(operators)s.")
            )
            self.refuse(
                f"{path}operator",
                sentence % {"field": field.name, "operator": given, "operators": ", ".join(known)},
                "unknown_operator" if given else "required",
            )
        return operator

    def _node(self, data: Any, path: str, depth: int) -> Group | Clause | None:
        if not isinstance(data, Mapping):
            self.refuse(
                path, _("Give an object: a group (all, any, none) or a condition."), "not_an_object"
            )
            return None
        kinds = [kind for kind in GROUPS if kind in data]
        if "field" in data and not kinds:
            return self._clause(data, path)
        if len(kinds) != 1:
            self.refuse(
                path,
                _("Give one of all, any, none with a list, or a condition with a field."),
                "invalid_group",
            )
            return None
        self.refuse_keys(path, data, kinds)
        return self._group(kinds[0], data[kinds[0]], f"{path}{kinds[0]}", depth)

    def _group(self, kind: Kind, members: Any, path: str, depth: int) -> Group | None:
        if not isinstance(members, list):
            self.refuse(path, _("Give a list of conditions and groups."), "not_a_list")
            return None
        if depth > DEEPEST:
            self.refuse(
                path,
                _("At most %(deepest)d groups within each other.") % {"deepest": DEEPEST},
                "too_deep",
            )
            return None
        read = []
        for index, member in enumerate(members):
            if self._size.clauses > MOST_CLAUSES:
                return None
            node = self._node(member, f"{path}.{index}.", depth + 1)
            if node is not None:
                read.append(node)
        return Group(kind, tuple(read))

    def _clause(self, data: Mapping[str, Any], path: str) -> Clause | None:
        self._size.clauses += 1
        if self._size.clauses > MOST_CLAUSES:
            self.refuse(
                path,
                _("A rule has at most %(most)d conditions.") % {"most": MOST_CLAUSES},
                "too_many",
            )
            return None
        name = data["field"]
        if not isinstance(name, str):
            self.refuse(f"{path}field", _("Give the name of a field."), "invalid")
            return None
        try:
            field = registry.find(name, self)
        except ValidationError as error:
            self.refuse(f"{path}field", error)
            return None
        if field is not None and field.about not in self.about:
            self.refuse(
                f"{path}field",
                _("%(field)s is known only where an activity starts it.") % {"field": name},
                "unknown_field",
            )
            return None
        if field is None:
            sentence = registry.unknown(name, self.organisation, self.about)
            self.refuse(f"{path}field", sentence, "unknown_field")
            return None
        return field.clause(self, path, data)
