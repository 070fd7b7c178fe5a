"""Which clips are held back for evaluation: drawn once, by content, so that the draw never moves.

A clip's lot is a hash of its recording's content and its place in it. Adding recordings, building
again or in another order, under another name: the same clips are drawn.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from modules.core_components.dataset.values import EVAL, TRAIN, Clip, Dataset, Source

EVAL_SHARE = 0.15
LEAST_EVAL_ROWS = 4
_SEED = "evaluation rows, first draw"


def drawn(clips: Sequence[Clip], audio_sha256: str) -> tuple[Clip, ...]:
    """The clips of one recording, each with its subset.

    15 % of each recording; where that is no whole number, the recording's own lot decides between
    the two next to it, so that many recordings of one clip give 15 % as well.
    """
    rounding = _lot(audio_sha256, "share")
    count = math.floor(EVAL_SHARE * len(clips) + rounding)
    by_lot = sorted(clips, key=lambda clip: _lot_of(clip, audio_sha256))
    chosen = {clip.id for clip in by_lot[:count]}
    return tuple(replace(clip, subset=EVAL if clip.id in chosen else TRAIN) for clip in clips)


def topped_up(dataset: Dataset) -> tuple[Source, ...]:
    """The recordings that change when a small dataset needs more evaluation rows.

    With fewer than four of them the next lots join, but never more than half of the rows. Rows
    that are for evaluation stay so.
    """
    rows = dataset.rows
    present = sum(clip.subset == EVAL for clip in rows)
    missing = min(LEAST_EVAL_ROWS, len(rows) // 2) - present
    if missing <= 0:
        return ()
    hashes = {source.key: source.audio_sha256 for source in dataset.sources}
    waiting = [clip for clip in rows if clip.subset != EVAL]
    waiting.sort(key=lambda clip: _lot_of(clip, hashes[clip.source]))
    joining = {clip.id for clip in waiting[:missing]}
    changed = []
    for source in dataset.sources:
        if not joining.isdisjoint(clip.id for clip in source.clips):
            clips = (
                replace(clip, subset=EVAL) if clip.id in joining else clip for clip in source.clips
            )
            changed.append(replace(source, clips=tuple(clips)))
    return tuple(changed)


def _lot_of(clip: Clip, audio_sha256: str) -> tuple[float, str]:
    return _lot(audio_sha256, f"{clip.start_s:.6f}"), clip.id


def _lot(audio_sha256: str, what: str) -> float:
    """A number in [0, 1) that looks drawn at random."""
    digest = hashlib.sha256(f"{_SEED}\n{audio_sha256}\n{what}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


TokenCounter = Callable[[str], int]

# XTTS's tokenizer spends a token on every space. Its merges are best for Latin letters, scarce for
# other alphabets; it writes Chinese, Japanese and Korean in Latin letters first, numbers and signs
# as words. Each figure is the worst case of its kind, not the average.
_LATIN, _OTHER_LETTER, _ROMANIZED, _SPELLED_OUT = 0.5, 1.0, 3.0, 6.0
_ROMANIZED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")


def estimated_tokens(text: str) -> int:
    """Rather more than the real tokenizer counts; for cutting where it is not at hand."""
    return math.ceil(sum(_cost(character) for character in text))


def _cost(character: str) -> float:
    category = unicodedata.category(character)
    if category == "Nd" or category[0] == "S":
        return _SPELLED_OUT
    if category[0] not in "LM":
        return 1.0
    name = unicodedata.name(character, "")
    if name.startswith(_ROMANIZED_SCRIPTS):
        return _ROMANIZED
    return _LATIN if name.startswith("LATIN") else _OTHER_LETTER
