"""Message templates: checked when a workflow is saved, rendered when a message is sent.

`{{ contact.firstName }}` and `{% if contact.totalOrders > 3 %}`: docs/messages.md has all that may
be said. A template that `check` took renders for every contact; what is not set is empty.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import structlog
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from liquid import BoundTemplate, Node, RenderContext, Token
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from organisations.models import Organisation
from workflows.messages import language, variables
from workflows.messages.filters import TooMuch
from workflows.messages.variables import Kind, Shape

log = structlog.get_logger(__name__)

__all__ = ["TooMuch", "check", "render"]

MAX_ERRORS = 10
"""How many mistakes are told at once."""


def check(
    source: Any,
    *,
    about: Collection[str] = ("contact",),
    organisation: Organisation,
    html: bool,
) -> None:
    """See that `source` can be rendered for any contact. Raises ValidationError with a sentence
    for each mistake and its line: what cannot be read, a variable or filter that there is not, what
    would take too long. One query."""
    if not isinstance(source, str):
        raise ValidationError(_("Give a text."), code="invalid_type")
    if len(source) > language.MAX_SOURCE:
        raise ValidationError(
            _("Give at most %(limit)d characters."),
            code="max_length",
            params={"limit": language.MAX_SOURCE},
        )
    try:
        source.encode()
        template = language.parse(source, html=html)
    except UnicodeEncodeError:
        raise ValidationError(_("This is not valid Unicode."), code="invalid_text") from None
    except LiquidError as error:
        line = language.line_of(error.token) or source.count("\n") + 1  # the end, for what is open
        raise _mistake(language.reason(error), line, "syntax") from None
    known = variables.known(organisation, about)
    mistakes = list(_Reader(template, known).mistakes())
    # Only what reads well is tried out: an unknown name would fail there a second time.
    mistakes = mistakes or list(_trial(source, known, html=html))
    if mistakes:
        raise ValidationError(mistakes[:MAX_ERRORS])


def render(source: str, values: Mapping[str, Any], *, html: bool) -> str:
    """What a checked template says with these values, which are plain dicts, lists, texts and
    numbers. In HTML, values are escaped. Raises TooMuch, and nothing else."""
    try:
        template = language.compiled(source, html)
    except LiquidError:  # saved before the language became stricter
        log.warning("template cannot be read any more")
        return ""
    text, context = language.run(template, values)
    for _node, error in context.errors:
        log.info("statement of a template failed", reason=type(error).__name__)
    return text


def _mistake(text: str, at: Token | int, code: str) -> ValidationError:
    line = at if isinstance(at, int) else language.line_of(at)
    if line is not None:
        text = _("Line %(line)d: %(mistake)s") % {"line": line, "mistake": text}
    return ValidationError(text, code=code)


def _trial(source: str, known: dict[str, Shape], *, html: bool) -> Iterator[ValidationError]:
    """What goes wrong with a sample."""
    try:
        _text, context = language.run(
            language.compiled(source, html),
            {name: variables.sample(s) for name, s in known.items()},
        )
    except TooMuch as much:
        yield ValidationError(
            _("This would take too much: %(what)s."), code="too_much", params={"what": str(much)}
        )
        return
    for node, error in context.errors:
        yield _mistake(language.reason(error), node.token, "fails")


class _Reader:
    """Reads a template from top to bottom and finds the names that stand for nothing."""

    def __init__(self, template: BoundTemplate, known: dict[str, Shape]) -> None:
        self.template = template
        self.static = RenderContext(template)
        self.filters = template.env.filters
        # The innermost scope last; what is assigned is known from there on, everywhere.
        self.scopes: list[dict[str, Shape]] = [dict(known)]

    def mistakes(self) -> Iterator[ValidationError]:
        for node in self.template.nodes:
            yield from self._node(node)

    def _node(self, node: Node) -> Iterator[ValidationError]:
        for expression in node.expressions():
            yield from self._expression(expression)
        if isinstance(node, OutputNode):
            yield from self._output(node)
        for name in node.template_scope():
            assigned = self._shape(node.expression) if isinstance(node, AssignNode) else Kind.TEXT
            self.scopes[0][str(name)] = assigned
        inner: dict[str, Shape] = {str(name): Kind.ANYTHING for name in node.block_scope()}
        if isinstance(node, ForNode):
            over = self._shape(node.expression.iterable)
            if isinstance(over, list):
                inner[str(node.expression.identifier)] = over[0]
        self.scopes.append(inner)
        for child in node.children(self.static):
            yield from self._node(child)
        self.scopes.pop()

    def _output(self, node: OutputNode) -> Iterator[ValidationError]:
        shape = self._shape(node.expression)
        if isinstance(shape, dict) or (isinstance(shape, list) and isinstance(shape[0], dict)):
            yield _mistake(
                _("%(name)s is a group of values: name one of them.") % {"name": node.expression},
                node.token,
                "group",
            )

    def _expression(self, expression: Expression) -> Iterator[ValidationError]:
        if isinstance(expression, Path):
            yield from self._path(expression)
        for filter_ in getattr(expression, "filters", None) or ():
            yield from self._filter(filter_)
        for child in expression.children():
            yield from self._expression(child)

    def _filter(self, filter_: Filter) -> Iterator[ValidationError]:
        function = self.filters.get(filter_.name)
        if function is None:
            text = _("there is no filter %(name)s.") % {"name": filter_.name}
            yield _mistake(
                text + _suggestion(filter_.name, self.filters), filter_.token, "unknown_filter"
            )
            return
        names = [getattr(argument, "name", None) for argument in filter_.args]
        plain = [None for name in names if name is None]
        given: dict[str, None] = {name: None for name in names if name is not None}
        for own in ("context", "environment"):
            if getattr(function, f"with_{own}", False):
                given[own] = None
        try:
            inspect.signature(function).bind(None, *plain, **given)
        except TypeError:
            yield _mistake(
                _("the filter %(name)s takes other values after its colon.")
                % {"name": filter_.name},
                filter_.token,
                "filter_arguments",
            )

    def _path(self, path: Path) -> Iterator[ValidationError]:
        said: list[str] = []
        shape: Shape | None = {name: s for scope in self.scopes for name, s in scope.items()}
        for segment in path.path:
            inside = _inside(shape, segment) if shape is not None else None
            if inside is None and isinstance(shape, dict) and isinstance(segment, str):
                name = ".".join([*said, segment])
                text = _("there is no %(name)s.") % {"name": name}
                near = _suggestion(segment, shape, ".".join([*said, ""]) if said else "")
                yield _mistake(text + near, path.token, "unknown_variable")
                return
            if inside is None and isinstance(shape, Kind):
                text = _("%(name)s has no parts.") % {"name": ".".join(said)}
                yield _mistake(text, path.token, "unknown_variable")
                return
            said.append(str(segment))
            shape = inside

    def _shape(self, expression: Expression) -> Shape:
        """What an expression is, `ANYTHING` when that is not known here."""
        if isinstance(expression, FilteredExpression):
            return Kind.ANYTHING if expression.filters else self._shape(expression.left)
        if not isinstance(expression, Path):
            return Kind.ANYTHING
        shape: Shape | None = {name: s for scope in self.scopes for name, s in scope.items()}
        for segment in expression.path:
            shape = None if shape is None else _inside(shape, segment)
        return Kind.ANYTHING if shape is None else shape


def _inside(shape: Shape, segment: Any) -> Shape | None:
    """The shape of a part of a value; None when there is no such part."""
    if shape is Kind.ANYTHING or not isinstance(segment, int | str):
        return Kind.ANYTHING  # a part named by another variable may be any
    if isinstance(shape, dict) and segment in shape:
        return shape[str(segment)]
    if segment == "size" and shape not in (Kind.NUMBER, Kind.MONEY, Kind.YES_NO):
        return Kind.NUMBER
    if isinstance(shape, list) and (isinstance(segment, int) or segment in ("first", "last")):
        return shape[0]
    return None


def _suggestion(name: str, among: Collection[str], prefix: str = "") -> str:
    """` Did you mean …?`, or nothing."""
    folded = {known.lower(): known for known in among}
    near = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if not near:
        return ""
    return " " + _("Did you mean %(name)s?") % {"name": prefix + folded[near[0]]}
