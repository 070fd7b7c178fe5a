"""The words of the studio in another language."""

from __future__ import annotations

import gettext
import sys
from collections.abc import Iterator

import pytest

from modules.core_components import texts
from modules.core_components.text.languages import language_name
from modules.core_components.texts import (
    AUTOMATIC,
    ENGLISH,
    LANGUAGE_VARIABLE,
    LANGUAGES,
    _,
    language_variable,
    machine_language,
    mark,
    ngettext,
    page_language,
    use_language,
    use_language_of_studio,
    use_translations,
)


@pytest.fixture(autouse=True)
def _english_after(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(LANGUAGE_VARIABLE, "")  # set first, so that it is undone
    yield
    use_translations(ENGLISH, gettext.NullTranslations())


class Swapped(gettext.NullTranslations):
    """A language that says its sentences the other way round."""

    def gettext(self, message: str) -> str:
        return " ".join(reversed(message.split(" ")))

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def test_english_is_what_stands_in_the_code() -> None:
    assert page_language() == ENGLISH
    assert _("The sample is {seconds:.1f} s long.", seconds=4.25) == "The sample is 4.2 s long."
    assert _("{big:,} bytes, {name!r}", big=12345, name="a.wav") == "12,345 bytes, 'a.wav'"
    assert (ngettext("{count} clip", "{count} clips", 1), mark("x")) == ("1 clip", "x")
    assert ngettext("{count} clip of {of}", "{count} clips of {of}", 3, of=4) == "3 clips of 4"


def test_without_values_braces_stay() -> None:
    assert _("A mix is written {a}+{b}.") == "A mix is written {a}+{b}."
    assert _("") == ""


def test_values_may_have_braces() -> None:
    assert _("{name} is no name.", name="{0}{x}") == "{0}{x} is no name."


def test_another_language_has_its_own_order_and_its_own_numbers() -> None:
    use_translations("de", Swapped())
    assert _("{seconds:.1f} s of {name}", seconds=4.25, name="v1.0") == "v1.0 of s 4,2"
    assert _("{big:,.1f} of", big=12345.6) == "of 12.345,6"
    assert _("{whole:,} of", whole=12345) == "of 12.345"
    assert _("{share:.1%} of", share=0.125) == "of 12,5\xa0%"
    # Words that happen to hold a point, and yes and no, are no numbers.
    assert _("{name} {yes}", name="a.wav", yes=True) == "True a.wav"
    assert ngettext("one clip {count}", "several clips {count}", 2000) == "2000 clips several"


def test_the_language_of_the_settings_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LANGUAGE_VARIABLE)
    use_language("de")
    assert page_language() == "de"
    assert _("Settings") == "Einstellungen"
    assert language_name("es") == "Spanisch"
    assert _("This is in no catalog, {name}.", name="Anna") == "This is in no catalog, Anna."


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LANGUAGE_VARIABLE, "en")
    use_language("de")
    assert page_language() == "en"


def test_a_language_that_is_not_here_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LANGUAGE_VARIABLE)
    use_language("xx")
    assert page_language() == "en"


@pytest.mark.skipif(sys.platform == "win32", reason="asks Windows there")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "de_AT.UTF-8"}, "de"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "de_DE"}, "de"),
        ({"LANG": "en_GB.UTF-8", "LANGUAGE": "de:en"}, "de"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "am_ET.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_automatic_is_the_language_of_the_machine(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", LANGUAGE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    use_language(AUTOMATIC)
    assert page_language() == expected
    assert machine_language() in (expected, "c", "am", "")


def test_processes_that_are_started_have_the_same_language(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delenv(LANGUAGE_VARIABLE)
    use_language("de")
    assert os.environ[LANGUAGE_VARIABLE] == "de"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_process_of_the_studio_speaks_its_language(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LANGUAGE_VARIABLE, language)
    use_language(AUTOMATIC)
    given = language_variable()
    use_translations("fr", gettext.NullTranslations())
    monkeypatch.setenv(LANGUAGE_VARIABLE, given[LANGUAGE_VARIABLE])
    use_language_of_studio()
    assert page_language() == language


def test_a_process_that_the_studio_did_not_start_is_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(LANGUAGE_VARIABLE)
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    use_language_of_studio()
    assert page_language() == ENGLISH


def test_scripts_get_their_own_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert texts.texts_of_scripts() == {}
    monkeypatch.delenv(LANGUAGE_VARIABLE)
    use_language("de")
    words = texts.texts_of_scripts()
    assert words["Pause"]
    assert "Settings" not in words


def test_the_setting_offers_the_languages_that_are_here() -> None:
    from typing import get_args

    from modules.core_components.settings import PageLanguage

    assert get_args(PageLanguage) == (AUTOMATIC, *LANGUAGES)
