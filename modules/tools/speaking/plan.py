"""From a text to what is spoken one after the other: passages, and the pauses between them.

A take and live speech both go through here, so that the same request sounds the same in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.base import (
    TTSEngine,
    describe_options,
    parse_options,
)
from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import Pause, parse_markup
from modules.core_components.text.passages import split_passages
from modules.core_components.values import Speech

PASSAGE_CHARACTERS = 2000
PAUSE_BETWEEN_PASSAGES_S = 0.35
# Passages are far apart in seed, since an engine counts its own chunks up from the seed.
_SEED_STEP = 100_003


@dataclass(frozen=True)
class Passage:
    """Text for the engine at once, with its options; `index` counts the passages of the text."""

    index: int
    text: str
    options: Any


@dataclass(frozen=True)
class Silence:
    """Nothing for that many seconds."""

    seconds: float

    def speech(self, sample_rate_hz: int) -> Speech:
        """It as audio."""
        return Speech(np.zeros(int(self.seconds * sample_rate_hz), np.float32), sample_rate_hz)


def spoken_steps(
    engine: TTSEngine, text: str, language: str, seed: int, options: Mapping[str, Any]
) -> tuple[Passage | Silence, ...]:
    """The steps in order. Raises BadInputError for markup that cannot be read, for a speed that
    the engine cannot speak at, and for a text of pauses alone."""
    steps: list[Passage | Silence] = []
    count = 0
    for part in parse_markup(text):
        if isinstance(part, Pause):
            steps.append(Silence(part.seconds))
            continue
        own = _at_speed(engine, options, part.speed)
        for index, passage in enumerate(split_passages(part.text, language, PASSAGE_CHARACTERS)):
            if index:
                steps.append(Silence(PAUSE_BETWEEN_PASSAGES_S))
            passage_seed = (seed + count * _SEED_STEP) % 2**31
            steps.append(
                Passage(count, passage, engine_options(engine, own, language, passage_seed))
            )
            count += 1
    if not count:
        raise BadInputError(
            "There is nothing to speak in this text.", "Write some words beside the pauses.", "text"
        )
    return tuple(steps)


def passages(steps: tuple[Passage | Silence, ...]) -> Iterator[Passage]:
    """The passages among the steps."""
    return (step for step in steps if isinstance(step, Passage))


def engine_options(engine: TTSEngine, options: Mapping[str, Any], language: str, seed: int) -> Any:
    """The engine's options; language and seed are part of every request, and options there.

    Raises BadInputError as `parse_options`.
    """
    return parse_options(engine.options_type, {**options, "language": language, "seed": seed})


def _at_speed(engine: TTSEngine, options: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    if factor == 1.0:
        return options
    default = {item.name: item.default for item in describe_options(engine.options_type)}
    if "speed" not in default:
        raise BadInputError(
            f"{engine.label} cannot change its speed.",
            "Leave the [speed:…] out, or choose another engine.",
            "text",
        )
    # Ten digits: 0.1 * 3 shall be 0.3.
    return {**options, "speed": round(float(options.get("speed", default["speed"])) * factor, 10)}
