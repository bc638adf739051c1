"""Languages: whatever the code says is said in each of them, and pages speak the reader's."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from crm import translations
from organisations.models import Organisation
from tests.admin import rows
from tests.admin.conftest import signed_in

LANGUAGES = translations.languages()


@pytest.fixture(scope="module")
def marked() -> translations.Texts:
    return translations.found()


def test_french_is_one_of_the_languages() -> None:
    assert LANGUAGES == ["fr"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_that_is_marked_is_translated(language: str, marked: translations.Texts) -> None:
    """`make messages` writes new ones into the file; they are translated there."""
    assert not translations.shortcomings(language, marked)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_translated_that_the_code_no_longer_says(
    language: str, marked: translations.Texts
) -> None:
    kept = [text for text in translations.kept(language) if text.id]
    assert not [text.id for text in kept if marked.get(text.id, text.context) is None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_is_what_was_written(language: str) -> None:
    """Both files are in git: an installation need not compile. `make messages` does."""
    read = translations.file(language, "mo").read_bytes()
    assert read == translations.compiled(language)


def test_texts_are_found_in_code_and_templates_in_every_form(marked: translations.Texts) -> None:
    assert marked.get("You are now working in %(name)s.")
    assert marked.get("%(number)s contact").pluralizable
    # templates: a tag, a block with a value, and one with a plural
    assert marked.get("Show as a board")
    assert marked.get("%(name)s is ready. Three ways to begin:")
    assert marked.get("%(n)s run").id == ("%(n)s run", "%(n)s runs")
    # Unfold's
    assert marked.get("Apply Filters")


@pytest.fixture
def scratch(tmp_path: Path, settings: Any) -> Path:
    settings.LOCALE_PATHS = [tmp_path]
    return tmp_path


def texts() -> translations.Texts:
    catalog = translations.Texts()
    for original in ("Pause", "%(name)s is paused.", "Two\n"):
        catalog.add(original, locations=[("desk/some.py", 0)])
    catalog.add(("%(n)s run", "%(n)s runs"))
    return catalog


GOOD = """
msgid "Pause"
msgstr "Mettre en pause"

msgid "%(name)s is paused."
msgstr "%(name)s est en pause."

msgid "Two\\n"
msgstr "Deux\\n"

msgid "%(n)s run"
msgid_plural "%(n)s runs"
msgstr[0] "une exécution"
msgstr[1] "%(n)s exécutions"
"""


@pytest.mark.parametrize(
    ("right", "wrong", "trouble"),
    [
        ("", "", None),
        ("Mettre en pause", "", "'Pause' is not translated"),
        ('msgid "Pause"', '#, fuzzy\nmsgid "Pause"', "'Pause' is marked as fuzzy"),
        ('msgid "Pause"', 'msgid "Break"', "'Pause' is not in the file"),
        ("%(name)s est", "%(nom)s est", "leaves something out that the original fills in"),
        ("%(name)s est", "%(name)s, %(who)s, est", "fills something in that the original does not"),
        ("%(n)s exécutions", "exécutions", "leaves something out that the original fills in"),
        ("une exécution", "", "'%(n)s run' is not translated"),
        ("Deux\\n", "Deux", "ends its line otherwise"),
    ],
)
def test_a_translation_that_is_not_good_is_told_of(
    scratch: Path, right: str, wrong: str, trouble: str | None
) -> None:
    path = translations.file("fr", "po")
    path.parent.mkdir(parents=True)
    path.write_text(GOOD.replace(right, wrong, 1) if right else GOOD)

    told = translations.shortcomings("fr", texts())

    assert any(trouble in line for line in told) if trouble else not told


def test_the_file_is_the_same_on_every_day_and_machine(scratch: Path) -> None:
    translations.update("fr", texts())
    path = translations.file("fr", "po")
    path.write_text(
        path.read_text().replace('msgid "Pause"\nmsgstr ""', 'msgid "Pause"\nmsgstr "P"')
    )
    translations.update("fr", texts())
    first = path.read_bytes()
    translations.update("fr", texts())

    assert path.read_bytes() == first
    assert b'msgstr "P"' in first
    assert b"#: desk/some.py\n" in first
    assert b"-Date" not in first


def test_a_text_that_the_code_no_longer_says_leaves_the_file(scratch: Path) -> None:
    translations.update("fr", texts())
    fewer = translations.Texts()
    fewer.add("Pause")
    translations.update("fr", fewer)

    assert [text.id for text in translations.kept("fr") if text.id] == ["Pause"]
    assert "Two" not in translations.file("fr", "po").read_text()


@pytest.mark.django_db
def test_a_page_speaks_the_language_that_the_browser_asks_for(organisation: Organisation) -> None:
    organisation.currency_code = "EUR"
    organisation.save()
    contact = rows.contact(organisation)
    rows.activity(organisation, contact=contact, spend=123456, currency_code="EUR")
    page = reverse("admin:contacts_contact_change", args=[contact.pk])

    answer = signed_in(rows.member(organisation).user).get(
        page, headers={"accept-language": "fr-FR, en;q=0.5"}
    )

    text = html.unescape(answer.content.decode())
    assert '<html lang="fr"' in text
    assert "Total dépensé" in text
    assert "1\u202f234,56\xa0€" in text
    assert "Total spend" not in text


@pytest.mark.django_db
def test_a_language_that_there_is_not_gets_the_one_that_is_written(
    organisation: Organisation,
) -> None:
    answer = signed_in(rows.member(organisation).user).get(
        "/admin/", headers={"accept-language": "nl"}
    )
    assert "Bulk changes" in answer.content.decode()
