"""The plain text of an HTML message, for those who read it so."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_UNSEEN = frozenset({"head", "script", "style", "title", "template"})
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "div", "dl", "footer", "form", "header", "main", "ol"}
    | {"section", "table", "ul"}
)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.unseen = 0
        self.links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _UNSEEN:
            self.unseen += 1
        elif tag == "br" or tag in _BLOCKS or tag == "tr":
            self.parts.append("\n")
        elif tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag == "li":
            self.parts.append("\n- ")
        elif tag in ("td", "th"):
            self.parts.append(" ")
        elif tag == "img" and given.get("alt"):
            self.parts.append(given["alt"] or "")
        elif tag == "a":
            self.links.append((given.get("href") or "", len(self.parts)))

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self.unseen = max(0, self.unseen - 1)
        elif tag in _PARAGRAPHS:
            self.parts.append("\n\n")
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a" and self.links:
            href, begun = self.links.pop()
            said = "".join(self.parts[begun:]).strip()
            if re.match(r"(https?|mailto|tel):", href) and href.removeprefix("mailto:") != said:
                self.parts.append(f" ({href})" if said else href)

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.parts.append(re.sub(r"\s+", " ", data))


def text_of(html: str) -> str:
    """What a person would read in it: paragraphs apart, a list's items with dashes, the addresses
    of links behind their words."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = "".join(reader.parts)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
