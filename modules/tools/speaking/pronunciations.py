"""The pronunciation dictionary: its entries, changing them, and those that a text uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modules.core_components.ai_models.engines.base import PhonemeEngine, TTSEngine
from modules.core_components.ai_models.engines.options import describe_options, parse_options
from modules.core_components.text.language_codes import match_language
from modules.core_components.text.markup import (
    check_entry,
    format_pronunciations,
    is_phonemes,
    used_in,
)
from modules.tools.services import Services
from modules.tools.voices.preset_voices import known_language, nearest_language

OPTION = "pronunciations"


def list_pronunciations(services: Services, language: str = "") -> dict[str, Mapping[str, str]]:
    """The entries by language, or of one language."""
    library = services.pronunciations
    codes = [_code(services, language)] if language else library.languages()
    return {code: library.entries(code) for code in codes}


def add_pronunciation(services: Services, language: str, word: str, sound: str) -> str:
    """Adds an entry, or changes it; returns the code of its language.

    `sound` is /phonemes/ or words that sound right. Raises BadInputError for a language or a sound
    that the default speaking model does not have.
    """
    engine = services.tts.get(services.settings.tts_model)
    language = known_language(engine, language)
    check_entry(word.strip(), sound.strip())
    if isinstance(engine, PhonemeEngine):
        given = sound.strip()
        options: Any = parse_options(engine.options_type, {"language": language})
        engine.phonemize(f"[{word.strip()}]({given})" if is_phonemes(given) else given, options)
    services.pronunciations.put(language, word, sound)
    return language


def remove_pronunciation(services: Services, language: str, word: str) -> None:
    """Raises NotFoundError for a word that is not in the dictionary."""
    services.pronunciations.remove(_code(services, language), word)


def _code(services: Services, language: str) -> str:
    """The code that the entries of a language are kept under: one that has entries, or that of
    the default speaking model."""
    kept = services.pronunciations.languages()
    if language in kept:
        return language
    engine = services.tts.get(services.settings.tts_model)
    return nearest_language(engine, language) or match_language(language, kept) or language


def with_pronunciations(
    services: Services, engine: TTSEngine, language: str, text: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options with the entries that the text uses, if the engine has such an option.

    They become part of the request and of the take, which can be made again after the dictionary
    was changed. Options that set entries already stay as they are.
    """
    takes_them = any(item.name == OPTION for item in describe_options(engine.options_type))
    if not takes_them or OPTION in options:
        return dict(options)
    used = used_in(text, services.pronunciations.entries(language))
    return {**options, OPTION: format_pronunciations(used)} if used else dict(options)
