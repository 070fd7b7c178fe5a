"""What can be chosen for a synthesis by Qwen3-TTS; the defaults are the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modules.core_components.ai_models.engines.options import option
from modules.core_components.text.languages import guess_language

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


def detect_language(text: str, language: str) -> str:
    """The language of a text: `language`, or for "auto" a guess (English if unsure)."""
    return (guess_language(text) or "en") if language == AUTO else language


def character_limit(language: str) -> int:
    """How much text of a language is spoken at once."""
    return _LIMITS.get(language, _USUAL_LIMIT)


BACKENDS = ("auto", "plain", "accelerated")
# The ways to clone a sample's voice.
BEST, IN_CONTEXT, VOICE_ONLY = "auto", "in-context", "voice-only"


@dataclass(frozen=True)
class QwenOptions:
    """What every Qwen3-TTS takes. A frame is 80 ms of speech: one code for the talker to draw,
    and 15 finer ones that its second, smaller part draws."""

    language: str = option(
        AUTO, "Language", "The language the text is written in; auto finds it.",
        choices=(AUTO, *LANGUAGES),
    )  # fmt: skip
    temperature: float = option(
        0.9, "Temperature", "Higher is livelier and less sure, lower is steadier.",
        minimum=0.05, maximum=2.0, step=0.05,
    )  # fmt: skip
    top_k: int = option(
        50, "Top-k", "Only so many of the likeliest codes are drawn from; 0 takes all.",
        minimum=0, maximum=200, step=1,
    )  # fmt: skip
    top_p: float = option(
        1.0, "Top-p", "Only the likeliest codes that make up this share are drawn from.",
        minimum=0.05, maximum=1.0, step=0.05,
    )  # fmt: skip
    repetition_penalty: float = option(
        1.05, "Repetition penalty", "Higher keeps it from getting stuck; 1 is none.",
        minimum=1.0, maximum=2.0, step=0.01,
    )  # fmt: skip
    do_sample: bool = option(True, "Sampling", "Off takes the likeliest code each time.")
    subtalker_temperature: float = option(
        0.9, "Fine temperature", "The same for the finer codes, which carry the timbre.",
        minimum=0.05, maximum=2.0, step=0.05,
    )  # fmt: skip
    subtalker_top_k: int = option(
        50, "Fine top-k", "The same for the finer codes.", minimum=0, maximum=200, step=1
    )
    subtalker_top_p: float = option(
        1.0, "Fine top-p", "The same for the finer codes.", minimum=0.05, maximum=1.0, step=0.05
    )
    subtalker_dosample: bool = option(True, "Fine sampling", "The same for the finer codes.")
    max_new_tokens: int = option(
        2048, "Longest piece", "Frames (80 ms each) after which a sentence group is cut off.",
        minimum=2, maximum=3072, step=1,
    )  # fmt: skip
    backend: str = option(
        "auto", "Backend",
        "On an NVIDIA GPU, auto replays recorded steps, which is much faster. The two backends "
        "draw differently, so a seed sounds different in each.",
        choices=BACKENDS,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip

    def sampling(self) -> dict[str, object]:
        """What goes to the model's `generate`, by its names."""
        names = (
            "temperature", "top_k", "top_p", "repetition_penalty", "do_sample",
            "subtalker_temperature", "subtalker_top_k", "subtalker_top_p", "subtalker_dosample",
            "max_new_tokens",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class CloneOptions(QwenOptions):
    """For the Base models, which take the voice of a sample."""

    likeness: str = option(
        BEST, "Likeness",
        "in-context continues in the manner of the sample and needs its reference text; voice-only "
        "takes the timbre alone; auto is in-context where the words are known.",
        choices=(BEST, IN_CONTEXT, VOICE_ONLY),
    )  # fmt: skip


@dataclass(frozen=True)
class StyleOptions(QwenOptions):
    """For the built-in speakers of the large CustomVoice."""

    instruct: str = option(
        "", "Style", "How to say it, in words: whispering, very happy, like a news reader."
    )
