"""The house itself: its locks, its documents, its settings."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from crm import settings

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@cache
def tracked() -> list[Path]:
    """The files that are in git, or everything outside ignored folders when there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def documents() -> list[Path]:
    return [file for file in tracked() if file.suffix == ".md"]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-runtime.lock"])
def test_a_lock_has_hashes_and_names_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    packages = re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE)
    assert packages
    assert len(re.findall(r"^\S+==.*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(packages)


def test_the_runtime_lock_is_part_of_the_whole_one() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("requirements-runtime.lock") < pins("requirements.lock")


def test_the_settings_table_lists_what_is_read_and_nothing_else() -> None:
    table = (ROOT / "docs" / "settings.md").read_text()
    listed = re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(settings.env.read)


def test_nothing_reads_the_environment_beside_the_settings() -> None:
    allowed = {
        "manage.py",
        "crm/celery.py",
        "crm/environment.py",
        "crm/management/commands/demo.py",
        "crm/wsgi.py",
    }
    readers = [
        str(file.relative_to(ROOT))
        for file in tracked()
        if file.suffix == ".py"
        and not {"tests", ".ci", "benchmarks"} & set(file.relative_to(ROOT).parts)
        and re.search(r"\bos\.(environ|getenv)\b", file.read_text())
    ]
    assert set(readers) <= allowed


def test_no_file_knows_this_machine_or_its_registry() -> None:
    home = str(Path.home())
    machine = {str(ROOT) + "/", f"{home}/.pyenv", "/opt/" + "pypi", "/opt/" + "wheels"}
    registry = re.compile(r"(index-url|find-links)[ =]+\S*://|//pypi\.|//files\.pythonhosted")
    for file in tracked():
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        found = [place for place in machine if place in text]
        assert not found, f"{file.relative_to(ROOT)} names {found}"
        if file.name != "test_house.py":
            assert not registry.search(text), f"{file.relative_to(ROOT)} names a registry"


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as the usual forges make them."""
    text = CODE.sub("", document.read_text())
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(text)
    }


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for document in documents():
        for target in LINK.findall(CODE.sub("", document.read_text())):
            if re.match(r"[a-z]+:", target):
                continue
            path, _hash, anchor = target.partition("#")
            found = (document.parent / path).resolve() if path else document
            if not found.exists() or (anchor and anchor not in anchors(found)):
                broken.append(f"{document.relative_to(ROOT)} → {target}")
    assert not broken


def test_every_document_is_reached_from_the_index() -> None:
    """Whoever starts at docs/README.md finds every page by following links."""
    index = ROOT / "docs" / "README.md"
    seen, waiting = set(), [index]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [
            (page.parent / target.partition("#")[0]).resolve()
            for target in LINK.findall(CODE.sub("", page.read_text()))
            if not re.match(r"[a-z]+:", target)
        ]
    pages = {file for file in documents() if (ROOT / "docs") in file.parents}
    assert not {str(page.relative_to(ROOT)) for page in pages - seen}


def test_every_document_that_the_code_points_to_is_there() -> None:
    for file in tracked():
        if file.suffix in (".py", ".toml", ".yaml") or file.name in ("Makefile", "Dockerfile"):
            for name in re.findall(r"\bdocs/[\w./-]+\.md\b", file.read_text()):
                assert (ROOT / name).exists(), f"{file.relative_to(ROOT)} points to {name}"
