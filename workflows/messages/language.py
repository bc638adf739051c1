"""Liquid as messages speak it: a part of it, within limits, and never failing while it renders.

Includes, and all that writes its value past the escaping, are left out. One statement that cannot
be carried out (`"a" | divided_by: 0`) gives nothing and the rest of the message is as it was
written; only what would take too much time or space ends a rendering, with `TooMuch`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TextIO

from liquid import BoundTemplate, Environment, Node, RenderContext, Token
from liquid.ast import BlockNode
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import LiquidError, LiquidInterrupt, ResourceLimitError

from workflows.messages import filters
from workflows.messages.filters import MAX_ITEMS, MAX_TEXT, TooMuch

MAX_SOURCE = 100_000
"""Characters of a template."""
MAX_OUTPUT = 500_000
"""Bytes of a rendered message."""
MAX_SECONDS = 2.0
"""Of processor time for one rendering."""

# `content`, `output` and `illegal` are the parser's own names for what stands between tags.
# fmt: off
_TAGS = frozenset({
    "assign", "break", "capture", "case", "comment", "continue", "echo", "for", "if", "liquid",
    "unless", "#", "content", "output", "illegal",
})
# fmt: on


class Language(Environment):
    """The tags and filters that templates may use."""

    loop_iteration_limit = MAX_ITEMS
    local_namespace_limit = 4 * MAX_TEXT
    output_stream_limit = MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        self.add_tag(BoundedForTag)
        self.filters = filters.table(self.filters)


class BoundedFor(ForNode):
    """A loop that does not begin when it would take too many turns."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        filters.require_few(self.expression.iterable.evaluate(context))
        return super().render_to_output(context, buffer)


class BoundedForTag(ForTag):
    node_class = BoundedFor


class Context(RenderContext):
    """A rendering: when it must be done, and what could not be carried out in it."""

    def __init__(self, template: BoundTemplate, *, globals: Mapping[str, object]) -> None:
        super().__init__(template, globals=globals)
        self.deadline = time.thread_time() + MAX_SECONDS
        self.errors: list[tuple[Node, Exception]] = []

    def require_time(self) -> None:
        if time.thread_time() > self.deadline:
            raise TooMuch("time")


class Shielded(Node):
    """A statement whose failure is its own: it renders as nothing, what stands around it stays."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        super().__init__(node.token)
        self.node = node
        self.blank = node.blank

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        assert isinstance(context, Context)
        context.require_time()
        try:
            return self.node.render(context, buffer)
        except (LiquidInterrupt, TooMuch):
            raise
        except ResourceLimitError as error:
            raise TooMuch(str(error.message)) from error
        except Exception as error:
            context.errors.append((self.node, error))
            return 0


LANGUAGES = {html: Language(autoescape=html) for html in (False, True)}


def parse(source: str, *, html: bool) -> BoundTemplate:
    """The template as it was written. Raises LiquidError."""
    return LANGUAGES[html].from_string(source)


@lru_cache(maxsize=256)
def compiled(source: str, html: bool) -> BoundTemplate:
    """The template, ready to be rendered without failing. Raises LiquidError."""
    template = parse(source, html=html)
    template.nodes = _shield(template.nodes, RenderContext(template))
    return template


def _shield(nodes: Iterable[Node], static: RenderContext) -> list[Node]:
    shielded: list[Node] = []
    for node in nodes:
        _shield_within(node, static)
        shielded.append(Shielded(node))
    return shielded


def _shield_within(node: Node, static: RenderContext) -> None:
    for child in node.children(static):
        if isinstance(child, BlockNode):
            child.nodes = _shield(child.nodes, static)
        else:
            _shield_within(child, static)


def run(template: BoundTemplate, values: Mapping[str, Any]) -> tuple[str, Context]:
    """What a compiled template says with these values. Raises TooMuch."""
    context = Context(template, globals=template.make_globals(values))
    buffer = template._get_buffer()
    with context.extend({}):
        for node in template.nodes:
            try:
                node.render(context, buffer)
            except LiquidInterrupt:
                break  # {% break %} outside a loop ends the message, as in Shopify's Liquid
    return buffer.getvalue(), context


def line_of(token: Token | None) -> int | None:
    """The line, from 1, that a token stands in."""
    if token is None or token.start_index < 0:
        return None
    return token.source.count("\n", 0, token.start_index) + 1


def reason(error: Exception) -> str:
    """What an error says, in one line."""
    said = error.message if isinstance(error, LiquidError) else error
    return " ".join(str(said).split()) or type(error).__name__
