"""What can be chosen when VibeVoice-ASR listens."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import option


@dataclass(frozen=True)
class VibeVoiceAsrOptions:
    """The defaults are those of the published checkpoint; it always takes the likeliest token."""

    language: str = option(
        "auto", "Language", "ISO 639-1 code for the transcript; the model finds it out by itself."
    )
    hotwords: str = option(
        "", "Hotwords", "Names and terms to expect, and what the recording is about."
    )
    window_minutes: int = option(
        60,
        "Minutes at once",
        "Longer recordings are heard in stretches; shorter ones need less memory.",
        minimum=1,
        maximum=60,
        step=1,
    )
    max_new_tokens: int = option(
        32_768,
        "Longest answer (tokens)",
        "Where an answer is broken off; the rest is asked for again.",
        minimum=8,
        maximum=32_768,
        step=8,
    )
    sounds: bool = option(
        False, "Note sounds", "Also note music, noise and silence, as [Music] and the like."
    )
