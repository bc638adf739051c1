"""What a browser would post of a form that it got."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any


class _Inputs(HTMLParser):
    """Collects names and values; what is in a `<template>` is no input yet."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._templates = 0
        self._select: str | None = None
        self._chosen: list[str] = []
        self._first: str | None = None
        self._text: str | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        told = dict(attrs)
        if tag == "template":
            self._templates += 1
        if self._templates:
            return
        name, kind = told.get("name"), told.get("type", "text")
        if tag == "input" and name and (kind not in ("checkbox", "radio") or "checked" in told):
            default = "on" if kind == "checkbox" else ""
            self.found.setdefault(name, []).append(told.get("value") or default)
        elif tag == "select" and name:
            self._select, self._chosen, self._first = name, [], None
        elif tag == "option" and self._select:
            self._first = told.get("value", "") if self._first is None else self._first
            if "selected" in told:
                self._chosen.append(told.get("value") or "")
        elif tag == "textarea" and name:
            self.found.setdefault(name, []).append("")
            self._text = name

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._templates -= 1
        elif tag == "select" and self._select:
            self.found.setdefault(self._select, []).extend(self._chosen or [self._first or ""])
            self._select = None
        elif tag == "textarea":
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self.found[self._text][-1] += data.removeprefix("\n")


def filled(html: str) -> dict[str, list[str]]:
    """The inputs of a page by name, with the values that they have."""
    parser = _Inputs()
    parser.feed(html)
    return parser.found
