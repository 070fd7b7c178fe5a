"""The languages of Qwen3-TTS, by their codes and by the names the model has for them."""

from __future__ import annotations

from collections.abc import Mapping

from modules.core_components.text.language_guess import guess_language

AUTO = "auto"
NAMES: Mapping[str, str] = {
    "zh": "Chinese", "en": "English", "ja": "Japanese", "ko": "Korean", "de": "German",
    "fr": "French", "ru": "Russian", "pt": "Portuguese", "es": "Spanish", "it": "Italian",
}  # fmt: skip
LANGUAGES = tuple(NAMES)

# Characters that are spoken at once: about 25 seconds. Much longer pieces get rushed.
_USUAL_LIMIT = 360
_LIMITS = {"zh": 110, "ja": 130, "ko": 160}


def model_name(language: str) -> str:
    """What the model calls a language of `LANGUAGES`, or "Auto"."""
    return NAMES.get(language, "Auto")


def written_in(text: str, language: str) -> str:
    """The language for cutting a text: `language`, or for "auto" what it seems to be."""
    return (guess_language(text) or "en") if language == AUTO else language


def character_limit(language: str) -> int:
    """How much text of a language is spoken at once."""
    return _LIMITS.get(language, _USUAL_LIMIT)
