"""A mix of voices as people write it: "af_bella(2)+af_sky(1)-af_nicole(0.5)"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modules.core_components.errors import BadInputError

# Beyond this, numbers leave the range of every voice and the model only hisses.
MOST_TIMES = 10.0
MOST_VOICES = 12
_PART = re.compile(r"\s*([+-]?)\s*([^\s()+\-]+)\s*(?:\(\s*(\d{1,9}(?:\.\d{1,9})?)\s*\))?\s*")
_EXAMPLE = 'Write a name, or a mix like "af_bella(2)+af_sky(1)" or "af_heart-af_nicole(0.5)".'


def is_mix(text: str) -> bool:
    """Whether `text` is more than one bare name; what it says may still be wrong."""
    return any(sign in text for sign in "+-()")


def parse_mix(text: str) -> tuple[tuple[str, float], ...]:
    """Names and shares of a mix; the shares add up to 1.

    A weight not given is 1, and a minus takes a voice away. Weights are divided by their sum with
    signs: what all voices have in common, the level of speech itself, then stays as it is, and
    only what sets them apart is mixed. "a-b(0.5)" is 2 a - b: a, and as much again of what it has
    and b has not. A sum of 0 or less leaves nothing to divide by and is refused.

    Raises BadInputError when the text is no such list, is longer than `MOST_VOICES`, or counts a
    voice more than `MOST_TIMES` over.
    """
    weights = _weights(text)
    total = sum(weight for _, weight in weights)
    if total <= 0:
        raise BadInputError(
            f"The weights in {text!r} add up to {total:g}.",
            "What is added must weigh more than what is taken away.",
        )
    shares = tuple((name, weight / total) for name, weight in weights)
    if any(abs(share) > MOST_TIMES for _, share in shares):
        raise BadInputError(
            f"{text!r} takes away nearly all that it adds; what is left is no voice.",
            "Take away less.",
        )
    return shares


def mix_names(text: str) -> tuple[str, ...]:
    """The names in a mix, whatever their weights. Raises BadInputError when it cannot be read."""
    return tuple(name for name, _ in _weights(text))


def format_mix(weights: Iterable[tuple[str, float]]) -> str:
    """Names and weights as `parse_mix` reads them; parts that weigh nothing are left out."""
    parts = [
        f"{'-' if weight < 0 else '+'}{name}({abs(weight):.4g})"
        for name, weight in weights
        if name and weight
    ]
    return "".join(parts).removeprefix("+")


def _weights(text: str) -> list[tuple[str, float]]:
    weights: list[tuple[str, float]] = []
    position = 0
    while position < len(text) or not weights:
        match = _PART.match(text, position)
        if match is None or (weights and not match[1]):
            raise BadInputError(f"{text[:200]!r} names no voice.", _EXAMPLE)
        if len(weights) == MOST_VOICES:
            raise BadInputError(f"A mix can have {MOST_VOICES} voices, not more.", _EXAMPLE)
        weight = float(match[3] or 1)
        weights.append((match[2], -weight if match[1] == "-" else weight))
        position = match.end()
    return weights
