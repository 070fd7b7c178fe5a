"""Scripts for VibeVoice: checked, cut into parts that are spoken at once, and the options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from modules.core_components.ai_models.engines.base import ScriptLine
from modules.core_components.ai_models.engines.options import option
from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.sentences import cut_evenly, split_sentences
from modules.core_components.texts import _

MAX_SPEAKERS = 4
LONGEST_SCRIPT = 200_000  # characters: some four hours of speech
# Text and speech of a part lie in the model's memory of 32,768 tokens (Large; the small one has
# twice that): 12,000 letters are some 3,500 tokens and 6,500 of speech; 12,000 Chinese characters
# some 9,000 and 20,000.
LONGEST_PART = 12_000

_CONTROL = re.compile(r"<\|[^|<>]*\|>")


@dataclass(frozen=True)
class ScriptPart:
    """Lines that are spoken at once; at least one."""

    lines: tuple[ScriptLine, ...]

    @property
    def speakers(self) -> tuple[int, ...]:
        """Its speakers, in the order of their first lines."""
        return tuple(dict.fromkeys(line.speaker for line in self.lines))

    @property
    def characters(self) -> int:
        return sum(len(line.text) for line in self.lines)


def check_script(lines: Sequence[ScriptLine], voices: int) -> tuple[ScriptLine, ...]:
    """The lines that have something to speak, without the model's control tokens.

    Raises BadInputError for more than four speakers, one without a voice, and for a script that
    is empty or too long.
    """
    speakers = {line.speaker for line in lines}
    if len(speakers) > MAX_SPEAKERS:
        raise BadInputError(
            _(
                "The script has {count} speakers; VibeVoice knows {max_speakers} at most.",
                count=len(speakers),
                max_speakers=MAX_SPEAKERS,
            ),
            _("Speak it in parts with fewer speakers, or with another engine line by line."),
            "voice",
        )
    without = sorted(speaker for speaker in speakers if not 0 <= speaker < voices)
    if without:
        raise BadInputError(
            _("Speaker {without} of the script has no voice.", without=without[0] + 1),
            _("Give each speaker a sample."),
            "voice",
        )
    length = sum(len(line.text) for line in lines)
    if length > LONGEST_SCRIPT:
        raise BadInputError(
            _(
                "The script has {length:,} characters; the limit is {longest_script:,}.",
                length=length,
                longest_script=LONGEST_SCRIPT,
            ),
            _("Speak it in parts."),
            "text",
        )
    cleaned = (ScriptLine(line.speaker, _speakable(line.text)) for line in lines)
    kept = tuple(line for line in cleaned if any(map(str.isalnum, line.text)))
    if not kept:
        raise BadInputError(
            _("There is nothing in the text that can be spoken."),
            _("Type words or numbers."),
            "text",
        )
    return kept


def plan_parts(
    lines: Iterable[ScriptLine], language: str, sentences_per_part: int
) -> tuple[ScriptPart, ...]:
    """Whole sentences in order, packed up to LONGEST_PART characters, and up to that many
    sentences (0: any number). Neighbours of one line stay one line."""
    parts: list[list[ScriptLine]] = []
    characters = sentences = 0
    for line, fresh in _pieces(lines, language):
        full = sentences_per_part and sentences >= sentences_per_part
        if not parts or full or characters + len(line.text) > LONGEST_PART:
            parts.append([line])
            characters = sentences = 0
        elif fresh:
            parts[-1].append(line)
        else:
            joint = "" if is_spaceless(language) else " "
            whole = f"{parts[-1][-1].text}{joint}{line.text}"
            parts[-1][-1] = ScriptLine(line.speaker, whole)
        characters += len(line.text)
        sentences += 1
    return tuple(ScriptPart(tuple(part)) for part in parts)


def _pieces(lines: Iterable[ScriptLine], language: str) -> Iterator[tuple[ScriptLine, bool]]:
    """The sentences, and whether each begins a line."""
    for line in lines:
        fresh = True
        for sentence in split_sentences(line.text, language):
            for piece in cut_evenly(sentence, LONGEST_PART):
                yield ScriptLine(line.speaker, piece), fresh
                fresh = False


def _speakable(text: str) -> str:
    """One line of text; the model was trained on straight apostrophes."""
    return " ".join(_CONTROL.sub(" ", text).replace("’", "'").split())


LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class VibeVoiceOptions:
    """The defaults are those of the published checkpoints. The likeliest token is always taken; the
    seed determines the noise of the diffusion."""

    language: str = option(
        "en", "Language", "The language the text is written in.", choices=LANGUAGES
    )
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.", minimum=0, maximum=2**31 - 1, step=1
    )
    guidance_scale: float = option(
        1.3, "Guidance (CFG)", "How closely to follow voice and text; much more sounds pressed.",
        minimum=1.0, maximum=5.0, step=0.1,
    )  # fmt: skip
    diffusion_steps: int = option(
        10, "Diffusion steps", "Steps for every 133 ms of sound; more is finer and slower.",
        minimum=1, maximum=50, step=1,
    )  # fmt: skip
    sentences_per_part: int = option(
        0, "Sentences per part",
        "How many sentences to speak at once; 0 is as many as fit in the model's context.",
        minimum=0, maximum=50, step=1,
    )  # fmt: skip
    longest_part_s: int = option(
        0, "Longest part (seconds)",
        "After how long a part is stopped that does not end; 0 is far beyond what its text needs.",
        minimum=0, maximum=3600, step=1,
    )  # fmt: skip
