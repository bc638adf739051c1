"""What a source is: one class for each system that tells us things, in a package of its own.

    @source
    class Shopify(Source):
        name = "shopify"
        label = "Shopify"
        credentials = (Credential("secret", _("Secret")), …)

        def verify(self, hook, connection): ...
        def read(self, delivery, connection): ...

docs/add-an-integration.md says how to add one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.http import HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

if TYPE_CHECKING:
    from integrations.changes import Change
    from integrations.models import Connection

MAX_DEPTH = 100
"""How deeply a body may be nested."""


class Forged(Exception):
    """A delivery that is not from whom it should be: 401. Says why, for whoever looks for it."""


class NotUnderstood(Exception):
    """A delivery that says nothing we can use, and never will: kept as failed, with the reason."""


class Asleep(Exception):
    """The other system cannot be asked now: tried again, after `after` when it says so."""

    def __init__(self, reason: str, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Hook:
    """A request as it came in: the raw bytes, headers by lower-case name, and what stood behind
    the connection's part of the address."""

    raw: bytes
    headers: Mapping[str, str]
    rest: str = ""
    query: str = ""

    def header(self, *names: str) -> str:
        """The first of these headers that is there; empty when none is."""
        return next((self.headers[name] for name in names if name in self.headers), "")

    @cached_property
    def digest(self) -> str:
        """By what the same body is known again."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def is_storable(self) -> bool:
        """Whether no text of the body, if it is JSON, has what a database cannot keep."""
        return _ODD.search(self.raw) is None

    @cached_property
    def json(self) -> Any:
        """The body, decimals kept exactly. Raises NotUnderstood."""
        return parse(self.raw)


def parse(text: bytes | str) -> Any:
    """JSON with its decimals kept exactly. Raises NotUnderstood."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:
        reason = _("nested too deeply") if isinstance(error, RecursionError) else str(error)[:200]
        raise NotUnderstood(_("The body is not JSON: %(reason)s.") % {"reason": reason}) from None
    if _opens(text) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise NotUnderstood(_("The body is nested too deeply."))
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _opens(text: bytes | str) -> int:
    """How many objects and lists there are at most: no value is nested more deeply."""
    if isinstance(text, str):
        return text.count("{") + text.count("[")
    # One of two or four bytes a character has the same byte in it.
    return text.count(b"{") + text.count(b"[")


def _depth(value: Any) -> int:
    """How deeply a JSON value is nested; more than `MAX_DEPTH` is not counted."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [inner for one in level for inner in _inner(one) if isinstance(inner, dict | list)]
    return depth


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def load(text: str) -> Any:
    """What `dump` wrote of a body that was `parse`d before."""
    return json.loads(text, parse_float=Decimal)


def dump(value: Any, indent: int | None = None, *, storable: bool = False) -> str:
    """JSON again, with decimals as they were spelt. What PostgreSQL cannot keep is left out: NUL,
    and half characters; nothing is looked for in what is `storable`."""
    kept = value if storable else _storable(value)
    text = json.dumps(kept, ensure_ascii=False, default=_marked, indent=indent)
    return _MARKED.sub(r"\1", text)


_ODD = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]|\0")
"""Where JSON may have NUL or half characters: escaped, or half ones as bytes, or in UTF-16."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MARKED = re.compile(r'"\\u0000([^"\\]+)\\u0000"')


def _marked(number: Decimal) -> str:
    """`json` writes no decimals: as a text between NULs, which no other text has by then."""
    return f"\0{number}\0"


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("", key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    return value


def without(value: Any, names: frozenset[str]) -> Any:
    """A JSON value without these keys, however deep they stand."""
    if isinstance(value, dict):
        return {
            key: without(inner, names) if isinstance(inner, dict | list) else inner
            for key, inner in value.items()
            if key not in names
        }
    if isinstance(value, list):
        return [without(inner, names) for inner in value]
    return value


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that whoever connects has to enter. What is not `secret` is shown again; what is
    not `asked` for is the source's own to keep."""

    name: str
    label: str | Promise
    secret: bool = True
    required: bool = True
    help: str | Promise = ""
    asked: bool = True


PREVIOUS_SECRET = Credential(
    "previous_secret",
    gettext_lazy("Previous secret"),
    required=False,
    help=gettext_lazy(
        "While the secret is being changed: it is good for as long as it stands here."
    ),
)
API_URL = Credential("api_url", gettext_lazy("API address"), secret=False, required=False)


@dataclass(frozen=True, slots=True)
class Option:
    """How a connection works: a choice of `choices` (value and label), or free text without, of
    several `lines` or one."""

    name: str
    label: str | Promise
    default: str
    choices: Sequence[tuple[str, str | Promise]] = ()
    help: str | Promise = ""
    lines: bool = False


COMMON = (
    Option(
        "empty",
        gettext_lazy("Empty values"),
        "keep",
        (
            ("keep", gettext_lazy("Keep what is known here")),
            ("clear", gettext_lazy("Clear what is known here")),
        ),
        gettext_lazy("What a value that is empty at the other system does to the contact."),
    ),
)
"""The options of every source."""
CURRENCY = Option(
    "currency",
    gettext_lazy("Currency"),
    "",
    help=gettext_lazy("Of what does not say its own. Empty: the organisation's."),
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what there was to fetch: its changes, from where to go on, and how much of how much
    was seen when that is known."""

    changes: Sequence[Change]
    cursor: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0
    total: int | None = None


class Source:
    """A kind of system. Instances hold nothing: one serves all its connections."""

    name: ClassVar[str]
    """As in addresses and on the command line."""
    label: ClassVar[str]
    credentials: ClassVar[Sequence[Credential]] = ()
    options: ClassVar[Sequence[Option]] = ()
    signed_by: ClassVar[str] = "secret"
    """The credential that signs. Where there is a `PREVIOUS_SECRET` too, the one that is replaced
    stays good as that."""
    hint: ClassVar[str | Promise] = ""
    """What to do with the address at the other system, in a sentence or two."""
    hooks: ClassVar[bool] = True
    """It calls us."""
    poll_every: ClassVar[timedelta | None] = None
    """How often the worker asks it, where it can be asked."""
    overlap: ClassVar[timedelta] = timedelta(hours=1)
    """How far behind the last time a poll begins: clocks differ, and rows become visible late."""
    headers: ClassVar[frozenset[str]] = frozenset()
    """Headers worth keeping, beside the usual ones; none of them a secret."""
    private: ClassVar[frozenset[str]] = frozenset()
    """Keys of its bodies that are never stored: secrets and means of payment."""

    def account(self, credentials: Mapping[str, str]) -> str:
        """What tells this account from another of the same system: `namespace`'s second half. By
        default what the first credential says. Raises ValidationError by credential."""
        return credentials[self.credentials[0].name][:80]

    def check(self, credentials: Mapping[str, str]) -> None:
        """Look at the credentials together. Raises ValidationError by credential."""

    def check_options(self, options: Mapping[str, str]) -> None:
        """Look at the options together. Raises ValidationError by option."""

    def namespace(self, credentials: Mapping[str, str]) -> str:
        """What its activities have as `source`."""
        return f"{self.name}:{self.account(credentials)}"

    # Being told

    def verify(self, hook: Hook, connection: Connection) -> str:
        """How the delivery is known to be genuine, for the inbox. Raises Forged. A source that
        signs nothing has its secret in the address, which was right already."""
        return _("by its address")

    def delivery_key(self, hook: Hook) -> str:
        """The same for the same delivery sent again."""
        return hook.digest

    def topic(self, hook: Hook) -> str:
        """What the delivery is about, in the system's word."""
        return ""

    def body(self, hook: Hook) -> str:
        """What is stored of the body: JSON, without what is `private`. Raises NotUnderstood."""
        return dump(without(hook.json, self.private), storable=hook.is_storable)

    def answer(self, hook: Hook, status: HTTPStatus) -> HttpResponse:
        """What the other system gets to hear."""
        return HttpResponse(status=status)

    def read(self, topic: str, body: Any, connection: Connection) -> Iterable[Change]:
        """What a delivery changes. `body` is what was stored, decimals kept exactly. May ask the
        other system. Raises NotUnderstood, Asleep; ignores unknown keys and topics."""
        raise NotImplementedError

    # Asking

    def test(self, connection: Connection) -> str:
        """Ask the other system something harmless; what it says of itself. Raises Asleep or
        NotUnderstood with what is wrong."""
        return _("There is nothing to ask here; send a test delivery from the other system.")

    def fetch(
        self, connection: Connection, since: datetime, cursor: Mapping[str, Any]
    ) -> Iterator[Page]:
        """All that changed since then, page by page, from `cursor` on (empty at first). Raises
        Asleep, NotUnderstood."""
        raise NotImplementedError

    def may_ask(self, credentials: Mapping[str, str]) -> bool:
        """Whether the credentials are enough to be asked: else nothing is polled."""
        return True

    @property
    def every_option(self) -> Sequence[Option]:
        """Its own options, and those that every source has."""
        return (*self.options, *COMMON)

    @property
    def can_fetch(self) -> bool:
        """Whether it can be asked for what happened."""
        return type(self).fetch is not Source.fetch


SOURCES: dict[str, Source] = {}

AnySource = TypeVar("AnySource", bound=type[Source])


def source(cls: AnySource) -> AnySource:
    """Make this a source."""
    SOURCES[cls.name] = cls()
    return cls
