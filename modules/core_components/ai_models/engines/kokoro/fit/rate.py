"""How fast the speaker speaks, beside how fast the fitted voice would say the same words.

Whisper wrote down what the sample says and when; Kokoro predicts how long its voice takes for the
same words. Pauses count on neither side: a reader's pauses say more about the text than about him.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any

import numpy as np
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.sample_words import Heard
from modules.core_components.ai_models.engines.kokoro.fit.text import Reading
from modules.core_components.errors import StudioError
from modules.core_components.values import Segment

logger = logging.getLogger(__name__)

SLOWEST, FASTEST = 0.8, 1.25
# Ten seconds of speech tell the rate to about a tenth: go part of the way there.
_TRUST = 0.7
_FEWEST_WORDS = 12
# Below this mean probability of its words a segment is guesswork, often in another language.
_UNSURE = 0.6
# A longer gap between two words is a pause.
_PAUSE_S = 0.15


def speaking_rate(kmodel: Any, heard: Heard, style: Tensor) -> float:
    """The speed at which a voice of `style` [1, 256] keeps the pace of what was heard.

    1 where too few words were understood.
    """
    heard_s, said_s, count = 0.0, 0.0, 0
    for segment in heard.segments:
        if not segment.words or np.mean([word.probability for word in segment.words]) < _UNSURE:
            continue
        try:
            reading = Reading(kmodel, heard.phonemize(segment.text.strip()))
        except StudioError:  # nothing that can be spoken, or too long for one utterance
            continue
        heard_s += articulation_s(segment)
        said_s += reading.articulation_s(kmodel, style[:, 128:])
        count += len(segment.words)
    if count < _FEWEST_WORDS or heard_s <= 0:
        return 1.0
    logger.debug("%d words in %.1f s, for which the voice takes %.1f s", count, heard_s, said_s)
    return round(float(np.clip((said_s / heard_s) ** _TRUST, SLOWEST, FASTEST)), 2)


def articulation_s(segment: Segment) -> float:
    """From the first word to the last without the pauses between."""
    words = segment.words
    pauses = (
        gap
        for before, after in itertools.pairwise(words)
        if (gap := after.start_s - before.end_s) > _PAUSE_S
    )
    return words[-1].end_s - words[0].start_s - sum(pauses)
