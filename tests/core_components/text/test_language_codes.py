"""Languages as people and programs write them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.text.language_codes import (
    KOKORO_LETTERS,
    language_tag,
    match_language,
)
from modules.core_components.text.languages import language_name

KOKORO = tuple(LANGUAGES)
XTTS = ("en", "es", "fr", "de", "it", "pt", "pl", "ru", "zh", "ja", "ko", "hi")
WHISPER = (*XTTS, "no", "nn", "yue", "he", "id", "jw", "tl", "my", "mi", "ht")


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("en-us", ["en", "EN", "en-US", "en_US", "en_US.UTF-8", "eng", "english", "English"]),
        (
            "en-us",
            ["american english", "English (US)", "English (United States)", "a", "A"],
        ),
        ("en-gb", ["en-GB", "en_gb", "British English", "english (uk)", "en-AU", "en-IN", "b"]),
        ("es", ["es", "ES", "es-ES", "es-MX", "es-419", "spa", "spanish", "castilian", "español"]),
        ("es", ["e", "Mexican Spanish", "Spanish (Mexico)"]),
        ("fr-fr", ["fr", "fr-FR", "fr_FR", "fr-CA", "fra", "fre", "French", "français", "f"]),
        ("hi", ["hi", "hi-IN", "hin", "Hindi", "हिन्दी", "h"]),
        ("it", ["it", "it-IT", "it_CH", "ita", "Italian", "italiano", "i"]),
        ("pt-br", ["pt", "pt-BR", "pt_BR", "pt-PT", "por", "Brazilian Portuguese", "p"]),
        ("pt-br", ["Portuguese (Brazil)", "português"]),
        ("ja", ["ja", "ja-JP", "jpn", "jp", "Japanese", "日本語", "j"]),
        ("zh", ["zh", "zh-cn", "zh-CN", "zh_CN", "zh-Hans", "zh-Hans-CN", "zh-TW", "zh-Hant"]),
        ("zh", ["cmn", "zho", "chi", "chinese", "mandarin", "Mandarin Chinese", "中文", "z", "cn"]),
        ("zh", ["Simplified Chinese", "Chinese (Simplified)"]),
    ],
)
def test_kokoro(code: str, given: list[str]) -> None:
    assert {one: match_language(one, KOKORO) for one in given} == dict.fromkeys(given, code)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("en", ["en-us", "en-GB", "english", "a", "b"]),
        ("de", ["de", "de-AT", "de_CH", "deu", "ger", "German", "Deutsch", "german (austria)"]),
        ("zh", ["zh-cn", "zh-Hans", "zh-TW", "cmn", "mandarin"]),
        ("yue", ["yue", "zh-yue", "Cantonese"]),
        ("no", ["no", "nb", "nb-NO", "nor", "norwegian", "Norwegian Bokmål"]),
        ("nn", ["nn", "nynorsk", "nn-NO"]),
        ("he", ["he", "iw", "hebrew"]),
        ("id", ["id", "in", "Indonesian"]),
        ("jw", ["jw", "jv", "javanese"]),
        ("tl", ["tl", "fil", "tagalog"]),
        ("my", ["burmese", "myanmar"]),
        ("mi", ["maori"]),
        ("ht", ["haitian creole", "haitian"]),
    ],
)
def test_whisper(code: str, given: list[str]) -> None:
    assert {one: match_language(one, WHISPER) for one in given} == dict.fromkeys(given, code)


@pytest.mark.parametrize(
    "given",
    ["", " ", "auto", "xx", "qqq", "x-foo", "5", "e n", "klingon", "🇪🇸", "yue", "de"],
)
def test_no_other_language_is_put_in_place(given: str) -> None:
    assert match_language(given, KOKORO) == ""


def test_a_model_that_detects_languages() -> None:
    assert match_language("AUTO", ("auto", "en")) == "auto"
    assert match_language("en-US", ("auto", "en")) == "en"


@pytest.mark.parametrize("code", sorted({*KOKORO, *WHISPER}))
def test_the_name_that_is_shown_is_understood(code: str) -> None:
    others = tuple(set(WHISPER) - {code.partition("-")[0]})
    assert match_language(language_name(code).lower(), (*others, code)) == code


def test_the_letters_are_kokoros() -> None:
    assert set(KOKORO_LETTERS) == {language.letter for language in LANGUAGES.values()}
    for language in LANGUAGES.values():
        assert match_language(language.letter, KOKORO) == language.code


@pytest.mark.parametrize(("given", "tag"), [("en_us", "en-US"), ("German", "de"), ("qqq", "")])
def test_tags(given: str, tag: str) -> None:
    assert language_tag(given) == tag


def test_a_code_of_the_model_costs_no_import() -> None:
    check = (
        "import sys\n"
        "from modules.core_components.text.language_codes import match_language\n"
        "assert match_language('EN_us', ('en-us', 'es')) == 'en-us'\n"
        "assert not {'langcodes', 'babel'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
