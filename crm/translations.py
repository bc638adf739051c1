"""The texts that people see, in other languages: found in the code, kept in `locale/`.

Babel does all of it, which money needs anyway: GNU gettext need not be installed. How a language
is added: docs/translate.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import unfold
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileParser, write_po
from django.conf import settings
from django.utils.translation import template, to_locale

# What marks a text in Python, and which of its arguments are texts.
LAZY = ("", "_lazy")
MARKS: dict[str, Any] = {
    "_": None,
    **{f"gettext{lazy}": None for lazy in (*LAZY, "_noop")},
    **{f"ngettext{lazy}": (1, 2) for lazy in LAZY},
    **{f"pgettext{lazy}": ((1, "c"), 2) for lazy in LAZY},
    **{f"npgettext{lazy}": ((1, "c"), 2, 3) for lazy in LAZY},
}
OTHER_NAME = re.compile(r"\b(n?p?gettext(?:_lazy|_noop)?) as (\w+)")
MAY_BE_MARKED = re.compile(r"_\(|gettext|trans")
PLACEHOLDER = re.compile(r"%\(\w+\)[-\d.]*[a-z]|%[sd]|\{\w*(?:[:!][^}]*)?\}")
COMMENT = re.compile(r"\s*# ?(Translators.*)?$")
WITHOUT_TEXTS = {"tests", "benchmarks", "migrations"}
# Of Unfold the parts that are not installed show nothing.
OF_UNFOLD = ("*.py", "templates/**/*", "contrib/filters/**/*")


class Texts(Catalog):
    """A catalog that says nothing of the day and the machine on which it was written."""

    PASSING = (
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Report-Msgid-Bugs-To",
        "Generated-By",
    )

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [head for head in super()._get_mime_headers() if head[0] not in self.PASSING]

    @mime_headers.setter
    def mime_headers(self, heads: Iterable[tuple[str, str]]) -> None:
        super()._set_mime_headers(heads)


def languages() -> list[str]:
    """The languages that there are translations into: all but the one the code is written in."""
    return [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def file(language: str, suffix: str) -> Path:
    """The language's .po, which people write, or its .mo, which Django reads."""
    folder = Path(settings.LOCALE_PATHS[0], to_locale(language), "LC_MESSAGES")
    return folder / f"django.{suffix}"


def found() -> Texts:
    """Every text that is marked, with the files that it stands in. Takes a few seconds.

    Unfold, which the admin is made with, brings no translations: its texts are among ours.
    """
    catalog = Texts()
    for name, path in _files():
        for texts, context in _marked(path):
            catalog.add(texts, locations=[(name, 0)], context=context)
    return catalog


def kept(language: str) -> Texts:
    """What the language's file holds; nothing where there is none yet."""
    catalog = Texts(
        locale=to_locale(language),
        project="Regulars",
        version="1",
        header_comment=f"# Regulars: {language}. How this file is kept: docs/translate.md",
        fuzzy=False,
    )
    path = file(language, "po")
    if path.exists():
        with path.open("rb") as lines:
            PoFileParser(catalog, ignore_obsolete=True).parse(lines)
    return catalog


def update(language: str, catalog: Texts) -> None:
    """Write what was found into the language's files, with the translations that it has.

    What the code no longer says goes. Nothing is guessed: a text that was reworded has none.
    """
    texts = kept(language)
    texts.update(catalog, no_fuzzy_matching=True)
    texts.obsolete.clear()
    out = BytesIO()
    write_po(out, texts, sort_output=True, include_lineno=False, width=100)
    file(language, "po").parent.mkdir(parents=True, exist_ok=True)
    file(language, "po").write_bytes(out.getvalue())
    file(language, "mo").write_bytes(compiled(language))


def compiled(language: str) -> bytes:
    """What the language's .mo must be, by its .po."""
    out = BytesIO()
    write_mo(out, kept(language))
    return out.getvalue()


def shortcomings(language: str, catalog: Texts) -> list[str]:
    """A line for each text that was found and is not well translated."""
    translations = kept(language)
    return [
        f"{_forms(message.id)[0]!r} {trouble}"
        for message in catalog
        if message.id
        for trouble in _troubles(message, translations.get(message.id, message.context))
    ]


def _troubles(message: Message, translated: Message | None) -> Iterator[str]:
    if translated is None:
        yield "is not in the file"
        return
    if not all(_forms(translated.string)):
        yield "is not translated"
        return
    if translated.fuzzy:
        yield "is marked as fuzzy"
    originals, forms = _forms(message.id), _forms(translated.string)
    known = {name for text in originals for name in PLACEHOLDER.findall(text)}
    # One may say "one" in words; the last form is of many, and needs all that the original has.
    if set(PLACEHOLDER.findall(originals[-1])) - set(PLACEHOLDER.findall(forms[-1])):
        yield "leaves something out that the original fills in"
    if any(set(PLACEHOLDER.findall(text)) - known for text in forms):
        yield "fills something in that the original does not"
    if any(text.endswith("\n") != originals[0].endswith("\n") for text in forms):
        yield "ends its line otherwise"


def _forms(texts: Any) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)


def _files() -> Iterator[tuple[str, Path]]:
    """Whatever may have texts, ours and then Unfold's, in an order that is always the same."""
    base, theirs = Path(settings.BASE_DIR), Path(unfold.__file__).parent
    ours = [path for folder in sorted(base.iterdir()) for path in _below(folder)]
    for path in sorted(ours):
        yield path.relative_to(base).as_posix(), path
    for path in sorted({path for pattern in OF_UNFOLD for path in theirs.glob(pattern)}):
        yield f"unfold/{path.relative_to(theirs).as_posix()}", path


def _below(folder: Path) -> Iterator[Path]:
    if folder.is_dir() and not folder.name.startswith(".") and folder.name not in WITHOUT_TEXTS:
        for path in folder.rglob("*"):
            if not WITHOUT_TEXTS.intersection(path.relative_to(folder).parts):
                yield path


def _marked(path: Path) -> Iterator[tuple[Any, str | None]]:
    """The texts of a file, each with its context."""
    if path.suffix not in {".py", ".html", ".txt"}:
        return
    source = path.read_text(encoding="utf-8")
    if not MAY_BE_MARKED.search(source):
        return
    if path.suffix != ".py":
        source = _as_python(source, path)
    marks = MARKS | {called: MARKS[name] for name, called in OTHER_NAME.findall(source)}
    for _line, texts, _comments, context in extract("python", BytesIO(source.encode()), marks):
        yield texts, context


def _as_python(source: str, path: Path) -> str:
    """A template's texts as calls in Python, which is what Django makes of them for gettext."""
    calls = template.templatize(source, origin=str(path)).splitlines()
    return "(" + " ".join(COMMENT.sub("", line).strip() for line in calls) + ")"
