"""The languages of XTTS v2, and how much text of each it speaks well at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Characters, from coqui's tokenizer: beyond that the speech tends to be cut off.
CHARACTER_LIMITS: Mapping[str, int] = {
    "en": 250, "es": 239, "fr": 273, "de": 253, "it": 213, "pt": 203, "pl": 224, "tr": 226,
    "ru": 182, "nl": 251, "cs": 186, "ar": 166, "zh": 82, "hu": 224, "ko": 95, "ja": 71, "hi": 150,
}  # fmt: skip
LANGUAGES = tuple(CHARACTER_LIMITS)

_TOKENS = {"zh": "[zh-cn]"}


def languages_in(vocabulary: Collection[str]) -> tuple[str, ...]:
    """The languages that a vocabulary has a token for; Hindi came with version 2.0.3."""
    return tuple(code for code in LANGUAGES if _TOKENS.get(code, f"[{code}]") in vocabulary)
