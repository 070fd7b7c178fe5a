"""What can be chosen when VibeVoice speaks."""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import option

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class VibeVoiceOptions:
    """The defaults are those of the published checkpoints. Its words are not sampled: the
    likeliest token is always taken, and what the seed decides is the noise of the diffusion."""

    language: str = option(
        "en", "Language", "The language the text is written in.", choices=LANGUAGES
    )
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.", minimum=0, maximum=2**31 - 1, step=1
    )
    guidance_scale: float = option(
        1.3,
        "Guidance (CFG)",
        "How closely to follow voice and text; much more sounds pressed.",
        minimum=1.0,
        maximum=5.0,
        step=0.1,
    )
    diffusion_steps: int = option(
        10,
        "Diffusion steps",
        "Steps for every 133 ms of sound; more is finer and slower.",
        minimum=1,
        maximum=50,
        step=1,
    )
    sentences_per_part: int = option(
        0,
        "Sentences per part",
        "How many sentences to speak at once; 0 is as many as the model can keep in mind.",
        minimum=0,
        maximum=50,
        step=1,
    )
    longest_part_s: int = option(
        0,
        "Longest part (seconds)",
        "Where a part is broken off that does not end; 0 is far beyond what its text needs.",
        minimum=0,
        maximum=3600,
        step=1,
    )
