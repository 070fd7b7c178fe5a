"""What can be chosen for a synthesis by XTTS."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from modules.core_components.ai_models.engines.options import as_written_option, option
from modules.core_components.ai_models.engines.xtts.text_form import LANGUAGE

# The languages of XTTS v2, and how much text of each it speaks well at once.


# Characters, from coqui's tokenizer: beyond that the speech tends to be cut off.
CHARACTER_LIMITS: Mapping[str, int] = {
    "en": 250, "es": 239, "fr": 273, "de": 253, "it": 213, "pt": 203, "pl": 224, "tr": 226,
    "ru": 182, "nl": 251, "cs": 186, "ar": 166, "zh": 82, "hu": 224, "ko": 95, "ja": 71, "hi": 150,
    "am": 100,  # a sign is a syllable: two letters or more
}  # fmt: skip
LANGUAGES = tuple(CHARACTER_LIMITS)
# Those that the base models and coqui's cleaners know; the others need a model trained for them.
BASE_LANGUAGES = tuple(code for code in LANGUAGES if code != LANGUAGE)

_TOKENS = {"zh": "[zh-cn]"}


def languages_in(vocabulary: Collection[str]) -> tuple[str, ...]:
    """XTTS's own languages that a vocabulary has a token for; Hindi came with version 2.0.3."""
    return tuple(code for code in BASE_LANGUAGES if _TOKENS.get(code, f"[{code}]") in vocabulary)


@dataclass(frozen=True)
class XttsOptions:
    """The defaults are those of the published configuration; coqui's code has two other sets."""

    language: str = option(
        "en", "Language", "The language the text is written in.", choices=LANGUAGES
    )
    speed: float = option(
        1.0, "Speed", "How fast to speak; 1 is the voice's own pace.",
        minimum=0.5, maximum=2.0, step=0.05,
    )  # fmt: skip
    temperature: float = option(
        0.75, "Temperature", "Higher is livelier and less sure, lower is steadier.",
        minimum=0.01, maximum=1.5, step=0.01,
    )  # fmt: skip
    repetition_penalty: float = option(
        5.0, "Repetition penalty", "Higher stops stutters and long silences; 1 is none.",
        minimum=1.0, maximum=20.0, step=0.5,
    )  # fmt: skip
    top_k: int = option(
        50, "Top-k", "Only so many of the likeliest sounds are drawn from.",
        minimum=1, maximum=200, step=1,
    )  # fmt: skip
    top_p: float = option(
        0.85, "Top-p", "Only the likeliest sounds that make up this share are drawn from.",
        minimum=0.01, maximum=1.0, step=0.01,
    )  # fmt: skip
    stream_chunk_size: int = option(
        20, "First piece", "Sounds of 46 ms until the first piece is played; the next are longer.",
        minimum=8, maximum=600, step=1,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip
    as_written: str = as_written_option()
