"""Why something is written: the run of a workflow that is at work, if one is.

A context variable, so that what is written deep below (a tag, an activity) can say which run wrote
it without every service carrying it along. Readable from every app; `workflows` sets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """The run at work, its workflow, and how many runs deep the chain is: 1 for a run that
    something outside started."""

    run: int
    workflow: int
    depth: int

    def to_json(self) -> dict[str, int]:
        return {"run": self.run, "workflow": self.workflow, "depth": self.depth}

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Cause | None:
        """The cause that `to_json` told; None for None."""
        return cls(data["run"], data["workflow"], data["depth"]) if data else None


_current: ContextVar[Cause | None] = ContextVar("cause", default=None)
_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


def current() -> Cause | None:
    """The run that is at work here; None when a person or another system is."""
    return _current.get()


@contextmanager
def acting(cause: Cause | None) -> Iterator[None]:
    """What is written within is `cause`'s doing."""
    token = _current.set(cause)
    try:
        yield
    finally:
        _current.reset(token)


def is_quiet() -> bool:
    """Whether what is written here is history, which starts no workflow and no webhook."""
    return _quiet.get()


@contextmanager
def quiet(really: bool = True) -> Iterator[None]:
    """What is written within is history (unless `really` is false)."""
    token = _quiet.set(really or _quiet.get())
    try:
        yield
    finally:
        _quiet.reset(token)
