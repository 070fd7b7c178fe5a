"""A long recording heard in stretches, without losing or doubling what lies at their edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from modules.core_components.ai_models.engines.vibevoice_asr.answers import Answer, Utterance

# A stretch of which not even one utterance can be written down is halved down to this.
SHORTEST_WINDOW_S = 5.0
# What ends this near to the end of a stretch was perhaps cut by it, and is heard again.
_EDGE_S = 0.5
_NOTHING_LEFT_S = 0.1

Listen = Callable[[float, float], Answer]


@dataclass(frozen=True)
class Window:
    """What was heard from `start_s` to `end_s` of the recording, in the recording's times.

    `note` says what a reader of the transcript must know; "" is the usual case.
    """

    start_s: float
    end_s: float
    utterances: tuple[Utterance, ...]
    note: str = ""


def windows(duration_s: float, longest_s: float, listen: Listen) -> Iterator[Window]:
    """Listens to the recording from its beginning to its end; `listen(start_s, end_s)` answers in
    the stretch's own times.

    Where an answer breaks off, the next stretch begins behind its last whole utterance.
    """
    start_s, length_s = 0.0, longest_s
    while duration_s - start_s > _NOTHING_LEFT_S:
        end_s = min(start_s + length_s, duration_s)
        answer = listen(start_s, end_s)
        heard = _moved(answer.utterances, start_s)
        if answer.complete:
            if end_s < duration_s:
                heard, end_s = _without_cut_one(heard, start_s, end_s)
            yield Window(start_s, end_s, heard)
            start_s, length_s = end_s, longest_s
        elif heard and heard[-1].end_s > start_s:
            behind_s = heard[-1].end_s
            yield Window(start_s, behind_s, heard, _broken_off(behind_s))
            start_s, length_s = behind_s, longest_s
        elif end_s - start_s > SHORTEST_WINDOW_S:
            length_s = max((end_s - start_s) / 2, SHORTEST_WINDOW_S)
        else:
            yield Window(start_s, end_s, (), _lost(start_s, end_s))
            start_s, length_s = end_s, longest_s


def _moved(utterances: tuple[Utterance, ...], by_s: float) -> tuple[Utterance, ...]:
    return tuple(
        replace(one, start_s=one.start_s + by_s, end_s=one.end_s + by_s) for one in utterances
    )


def _without_cut_one(
    heard: tuple[Utterance, ...], start_s: float, end_s: float
) -> tuple[tuple[Utterance, ...], float]:
    """The utterances without one that the stretch cuts, and where to go on."""
    if not heard or heard[-1].end_s < end_s - _EDGE_S:
        return heard, end_s
    cut = heard[-1]
    # One that fills the whole stretch is kept: nothing would be gained.
    return (heard[:-1], cut.start_s) if cut.start_s > start_s + _EDGE_S else (heard, end_s)


def _broken_off(at_s: float) -> str:
    return f"The answer was too long at {_clock(at_s)}; the rest was heard in another go."


def _lost(start_s: float, end_s: float) -> str:
    return f"{_clock(start_s)} to {_clock(end_s)} could not be written down."


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
