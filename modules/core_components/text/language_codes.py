"""Language codes as people and programs write them, matched to the codes that a model has.

Codes are matched as BCP-47 (RFC 5646) and CLDR have it, by the package langcodes; names of
languages come from CLDR (Babel). Both are imported only for a code that is not the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from modules.core_components.text.languages import rarer_languages

# Package `kokoro` calls its languages by these letters, and its API's clients do the same.
KOKORO_LETTERS: Mapping[str, str] = {
    "a": "en-US",
    "b": "en-GB",
    "e": "es",
    "f": "fr-FR",
    "h": "hi",
    "i": "it",
    "j": "ja",
    "p": "pt-BR",
    "z": "zh",
}
# Codes of countries that are written for their languages, and mean no language themselves.
_COUNTRIES = {"jp": "ja", "cn": "zh"}
# Names that Whisper and others use and CLDR does not.
_OTHER_NAMES = {
    "mandarin": "zh",
    "mandarin chinese": "zh",
    "castilian": "es",
    "flemish": "nl-BE",
    "farsi": "fa",
    "myanmar": "my",
    "sinhalese": "si",
    "pushto": "ps",
    "panjabi": "pa",
    "valencian": "ca",
    "haitian": "ht",
    "moldavian": "ro",
    "moldovan": "ro",
    "letzeburgesch": "lb",
    "bengali": "bn",
    "maori": "mi",
    "nynorsk": "nn",
}
_OTHER_TERRITORIES = {"us": "US", "usa": "US", "uk": "GB", "england": "GB", "great britain": "GB"}
# The languages whose own names are understood as well: "español", "Deutsch".
_OWN_NAMES = (
    *("en", "es", "fr", "de", "it", "pt", "pl", "tr"),
    *("ru", "nl", "cs", "ar", "zh", "hu", "ko", "ja", "hi"),
)
# Codes that everyone may give a meaning of their own.
_PRIVATE = re.compile(r"x-|q[a-t][a-z]\b")
# CLDR's distance of codes that mean one language: "no" and "nb".
_SAME_LANGUAGE = 1
_NAME_WITH_TERRITORY = re.compile(r"(?P<language>[^(),]+?)\s*[(,]\s*(?P<territory>[^()]+?)\)?")


@lru_cache(maxsize=2048)
def match_language(given: str, known: tuple[str, ...]) -> str:
    """The one of the codes `known` that `given` means, "" if none does.

    `given` is a BCP-47 code in any case ("en", "en_US", "zh-Hans", "eng"), a locale
    ("pt_BR.UTF-8"), a name ("english", "Brazilian Portuguese", "español") or one of Kokoro's
    letters. A region or script that is not known falls back to the nearest one of the same
    language, never to another language.
    """
    wanted = given.strip().replace("_", "-").casefold()
    for code in known:
        if code.casefold() == wanted:
            return code
    tag = language_tag(given)
    if not tag:
        return ""
    from langcodes import tag_distance

    language = primary_language(tag)
    near = []
    for position, code in enumerate(known):
        of_code = language_tag(code)
        if not of_code:  # "auto"
            continue
        distance = tag_distance(tag, of_code)
        if primary_language(of_code) == language or distance <= _SAME_LANGUAGE:
            near.append((distance, position, code))
    return min(near)[2] if near else ""


@lru_cache(maxsize=2048)
def language_tag(given: str) -> str:
    """The BCP-47 tag of what `match_language` takes; "" for what is no language."""
    text = given.strip().casefold()
    if text in KOKORO_LETTERS:
        return KOKORO_LETTERS[text]
    if text in _COUNTRIES:
        return _COUNTRIES[text]
    from langcodes import standardize_tag, tag_is_valid
    from langcodes.tag_parser import LanguageTagError

    code = text.partition(".")[0].partition("@")[0].replace("_", "-")
    try:
        # `macro`: "cmn" is "zh", "arb" is "ar".
        tag = standardize_tag(code, macro=True)
        if tag_is_valid(tag) and not _PRIVATE.match(tag) and primary_language(tag):
            return tag
    except LanguageTagError:
        pass
    return _tag_of_name(text)


def primary_language(tag: str) -> str:
    """The language of a BCP-47 tag without script and region, in ISO 639; "" for "und"."""
    from langcodes import Language

    return Language.get(tag).language or ""


def _tag_of_name(name: str) -> str:
    if not any(character.isalpha() for character in name):
        return ""
    found = _english_names().get(name) or _own_names().get(name)
    if found:
        return found
    parts = _NAME_WITH_TERRITORY.fullmatch(name)
    if parts is None:
        return ""
    language = _english_names().get(parts["language"], "")
    territory = _territories().get(parts["territory"], "")
    if language and territory:
        return f"{language}-{territory}"
    # "Chinese (Simplified)", "English, British"
    return _english_names().get(f"{parts['territory']} {parts['language']}", "")


@lru_cache(maxsize=1)
def _english_names() -> Mapping[str, str]:
    """Tags by CLDR's English names in small letters."""
    from babel import Locale

    names = Locale("en").languages.items()
    return {
        **{name.casefold(): code for code, name in rarer_languages().items()},
        **_OTHER_NAMES,
        **{name.casefold(): str(code).replace("_", "-") for code, name in names},
    }


@lru_cache(maxsize=1)
def _own_names() -> Mapping[str, str]:
    """Tags by the names that languages have in themselves, in small letters."""
    from babel import Locale

    return {Locale(code).languages.get(code, code).casefold(): code for code in _OWN_NAMES}


@lru_cache(maxsize=1)
def _territories() -> Mapping[str, str]:
    """Codes of regions by CLDR's English names in small letters."""
    from babel import Locale

    names = Locale("en").territories.items()
    return {**{name.casefold(): str(code) for code, name in names}, **_OTHER_TERRITORIES}
