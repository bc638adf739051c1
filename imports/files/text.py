"""Finding out how a text file is written: its encoding and its delimiter."""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import charset_normalizer

from imports.files.source import Unusable

BLOCK_BYTES = 1 << 20
SAMPLE_BYTES = 64 * 1024

_BOMS = [
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
_NAMES = {
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
    "mac_roman": "Mac Roman",
}
_MAGIC = {
    b"PK\x03\x04": "a zip archive or a workbook; if it is an Excel file, say --format xlsx",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Office file; save it as XLSX or CSV",
    b"\x1f\x8b": "compressed; unpack it first",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3": "an SQLite database",
}
_LONE = re.compile("[\udc80-\udcff]")
_LETTERS = re.compile("[^\x00-\x7f\udc80-\udcff]")
_NON_ASCII_RUN = re.compile(rb"[\x80-\xff]+")
# What Western Windows programs put between 0x80 and 0x9F: the euro, quotes, dashes, ellipsis,
# bullet, trade mark, and the letters of French, Czech and Finnish that Latin-1 lacks.
_WINDOWS_PUNCTUATION = frozenset(
    b"\x80\x82\x84\x85\x8a\x8c\x8e\x91\x92\x93\x94\x95\x96\x97\x99\x9a\x9c\x9e\x9f"
)


@dataclass(frozen=True, slots=True)
class Text:
    """How a text file is to be read."""

    path: Path
    digest: str
    encoding: str
    has_nul: bool = False
    has_broken_bytes: bool = False
    lines: int = 0

    @property
    def errors(self) -> str:
        """What `open` is to do with bytes that the encoding does not know."""
        return "surrogateescape" if self.has_broken_bytes else "strict"

    @property
    def encoding_name(self) -> str:
        """The encoding as people call it."""
        return _NAMES.get(self.encoding, self.encoding)

    def sample(self) -> str:
        """The beginning of the text."""
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as stream:
            return stream.read(SAMPLE_BYTES)


def digest_of(path: Path) -> str:
    """SHA-256 of the file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def examine(path: Path, encoding: str | None = None) -> Text:
    """Read the whole file once: its digest, and an encoding in which all of it can be read.

    The whole of it, because what fails in the last line must not be found out after the others
    were written. UTF-8 is certain (other text almost never passes for it), what is not UTF-8 is
    judged from the lines that have letters beyond ASCII. A file in UTF-8 with a few wrong bytes
    stays UTF-8: only the rows that have them fail.
    """
    with path.open("rb") as stream:
        head = stream.read(SAMPLE_BYTES)
    if not head:
        raise Unusable("The file is empty.")
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            raise Unusable(f"This is not a text file but {what}.")
    if encoding is not None:
        return _in_given_encoding(path, encoding)
    found = _by_mark(head) or _by_zeros(head)
    if found is not None:
        return _in_given_encoding(path, found)
    _refuse_garbage(head)
    scan = _scan(path, "utf-8")
    if scan.valid:
        return scan.text(path, "utf-8")
    letters, wrong, sample = _weigh(path)
    if letters >= wrong:
        return scan.text(path, "utf-8", has_broken_bytes=True)
    return scan.text(path, _single_byte(path, sample))


def _in_given_encoding(path: Path, encoding: str) -> Text:
    try:
        name = codecs.lookup(encoding).name
        if not codecs.lookup(encoding)._is_text_encoding:
            raise LookupError
    except LookupError:
        raise Unusable(
            f'There is no encoding "{encoding}": try utf-8, utf-16, windows-1252 or latin-1.'
        ) from None
    if name == "utf-8":
        name = "utf-8-sig" if _starts_with(path, codecs.BOM_UTF8) else "utf-8"
    scan = _scan(path, name)
    if not scan.valid:
        if name.startswith("utf-8"):
            letters, wrong, _ = _weigh(path)
            if letters >= wrong:
                return scan.text(path, name, has_broken_bytes=True)
        raise Unusable(
            f"The file cannot be read as {_NAMES.get(name, name)}: leave --encoding out to have "
            "it detected, or give the right one."
        )
    if name == "iso8859-1":
        name = "latin-1"
    return scan.text(path, name)


def _starts_with(path: Path, prefix: bytes) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(prefix)) == prefix


def _by_mark(head: bytes) -> str | None:
    return next((name for mark, name in _BOMS if head.startswith(mark)), None)


def _by_zeros(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    half = len(head) // 2
    if half < 4:
        return None
    if head[1::2].count(0) > 0.4 * half and head[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if head[0::2].count(0) > 0.4 * half and head[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _refuse_garbage(head: bytes) -> None:
    control = sum(head.count(byte) for byte in range(32) if byte not in b"\t\n\r\x1b\x0c\x0b")
    if control > 0.05 * len(head):
        raise Unusable("This is not a text file: it is full of bytes that no text has.")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


@dataclass(frozen=True, slots=True)
class _Scan:
    digest: str
    has_nul: bool
    lines: int
    valid: bool
    """Whether all of it is in the encoding."""

    def text(self, path: Path, encoding: str, *, has_broken_bytes: bool = False) -> Text:
        return Text(path, self.digest, encoding, self.has_nul, has_broken_bytes, self.lines)


def _scan(path: Path, encoding: str) -> _Scan:
    digest = hashlib.sha256()
    decoder = codecs.getincrementaldecoder(encoding)()
    has_nul, valid, lines = False, True, 0
    for block in _blocks(path):
        digest.update(block)
        lines += block.count(b"\n")
        if valid:
            try:
                has_nul = "\0" in decoder.decode(block) or has_nul
                continue
            except UnicodeError:
                valid = False
        has_nul = has_nul or b"\0" in block
    if valid:
        try:
            decoder.decode(b"", final=True)
        except UnicodeError:
            valid = False
    return _Scan(digest.hexdigest(), has_nul, lines, valid)


def _weigh(path: Path) -> tuple[int, int, bytes]:
    """How many letters beyond ASCII are good UTF-8, how many bytes are not, and lines with such."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    letters = wrong = 0
    sample = bytearray()
    for block in _blocks(path):
        text = decoder.decode(block)
        wrong += len(_LONE.findall(text))
        letters += len(_LETTERS.findall(text))
        if len(sample) < SAMPLE_BYTES:
            for line in block.splitlines():
                if not line.isascii():
                    sample += line + b"\n"
                if len(sample) >= SAMPLE_BYTES:
                    break
        if letters + wrong > 200_000:
            break
    return letters, wrong, bytes(sample)


def _single_byte(path: Path, sample: bytes) -> str:
    """Which encoding of one byte a letter; Windows-1252 unless the text speaks against it.

    Detection by statistics is unsure on names, which is what our files are full of. It is asked
    only where Windows-1252 looks wrong: letters beyond ASCII in long runs (Cyrillic, Greek,
    Chinese), or bytes that Western Windows text does not use (Mac Roman, DOS).
    """
    runs = _NON_ASCII_RUN.findall(sample)
    long_runs = sum(len(run) for run in runs if len(run) > 2)
    odd = sum(byte < 0xA0 and byte not in _WINDOWS_PUNCTUATION for run in runs for byte in run)
    total = sum(map(len, runs))
    if total and long_runs > total / 2:
        best = charset_normalizer.from_bytes(sample).best()
        if best is not None and _scan(path, best.encoding).valid:
            return best.encoding
    elif total and odd > total / 4:
        best = charset_normalizer.from_bytes(
            sample, cp_isolation=["mac_roman", "cp850", "cp437", "cp1252"]
        ).best()
        if best is not None and _scan(path, best.encoding).valid:
            return best.encoding
    return "cp1252" if _scan(path, "cp1252").valid else "latin-1"


DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SPELLED = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "bar": "|", "pipe": "|"}


def read_delimiter(given: str) -> str:
    """The delimiter that somebody gave: one character, or its name."""
    delimiter = _SPELLED.get(given.lower(), given)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise Unusable(f'"{given}" is no delimiter: give one character, or tab.')
    return delimiter


def find_delimiter(sample: str, preferred: str) -> str:
    """The delimiter that gives the first rows the same number of cells, the more the better."""
    best, best_score = preferred, (0.0, 0)
    for delimiter in sorted(DELIMITERS, key=lambda candidate: candidate != preferred):
        reader = csv.reader(sample.splitlines(keepends=True)[:200], delimiter=delimiter)
        try:
            counts = [len(row) for row in reader if row][:50]
        except csv.Error:
            continue
        if not counts or counts[0] < 2:
            continue
        alike = counts[:-1] or counts  # the sample may end within its last row
        score = (round(sum(n == counts[0] for n in alike) / len(alike), 1), counts[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best
