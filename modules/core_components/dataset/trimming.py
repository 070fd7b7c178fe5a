"""Trimming a clip: its audio, its words and its text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np

from modules.core_components.audio.denoise import remove_noise
from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.measure import headroom_db, loudness_lufs
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, SHORTEST_S, Clip
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech, Word

_FADE_S = 0.005
_RUN_UP_S = 1.0


def trimmed_clip(clip: Clip, start_s: float, end_s: float) -> Clip:
    """The clip from `start_s` to `end_s` (seconds from its start), with the words that remain.

    A word remains if its middle does. Where no word times are known, the text stays as it is.
    Raises BadInputError for times outside the clip, less than a third of a second, or no word.
    """
    _check(clip, start_s, end_s)
    end_s = min(end_s, clip.duration_s)
    kept = [i for i, word in enumerate(clip.words) if start_s <= _middle(word) <= end_s]
    if clip.words and not kept:
        raise BadInputError(
            _("No word would remain in this clip."), _("Keep more of it, or drop the clip.")
        )
    first, last = (kept[0], kept[-1] + 1) if kept else (0, 0)
    words = tuple(_moved(word, start_s, end_s) for word in clip.words[first:last])
    heard = kept_text(clip.heard, clip.words, first, last)
    return replace(
        clip,
        start_s=clip.start_s + start_s,
        end_s=clip.start_s + end_s,
        text=kept_text(clip.text, clip.words, first, last),
        heard=heard,
        words=words,
        edited=True,
    )


def kept_text(text: str, words: tuple[Word, ...], first: int, last: int) -> str:
    """What of `text` belongs to the words from `first` to before `last`.

    The text may have been edited since the words were transcribed: its characters are matched with
    theirs, and a cut that would fall inside a word of the text moves to its nearer end.
    """
    if last - first == len(words):
        return text
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word.text))
    spoken = "".join(word.text for word in words)
    matcher = SequenceMatcher(None, spoken.casefold(), text.casefold(), autojunk=False)
    opcodes = matcher.get_opcodes()
    begin = 0 if first == 0 else _place(opcodes, starts[first], text)
    end = len(text) if last == len(words) else _place(opcodes, starts[last], text)
    return text[begin:end].strip()


def cut_sound(samples: FloatArray, rate_hz: int, start_s: float, end_s: float) -> FloatArray:
    """The samples from `start_s` to `end_s`, faded over 5 ms where they were cut."""
    first, last = max(round(start_s * rate_hz), 0), min(round(end_s * rate_hz), len(samples))
    kept = samples[first:last].astype(np.float32)
    size = min(round(_FADE_S * rate_hz), len(kept) // 2)
    ramp = np.linspace(0.0, 1.0, size, endpoint=False, dtype=np.float32)
    if first > 0:
        kept[:size] *= ramp
    if last < len(samples):
        kept[len(kept) - size :] *= ramp[::-1]
    return kept


def _check(clip: Clip, start_s: float, end_s: float) -> None:
    times = _("{start_s:g} to {end_s:g} s", start_s=start_s, end_s=end_s)
    if not (math.isfinite(start_s) and math.isfinite(end_s)):
        raise BadInputError(_("The trim has no times."), _("Give seconds from the clip's start."))
    # A hundredth is what the page shows.
    if start_s < 0 or end_s > clip.duration_s + 0.01 or start_s >= end_s:
        raise BadInputError(
            _(
                "A clip of {duration_s:.2f} s cannot be cut to {times}.",
                duration_s=clip.duration_s,
                times=times,
            ),
            _("Give a start and an end within it."),
        )
    if end_s - start_s < SHORTEST_S:
        raise BadInputError(
            _("{end_s:.2f} s are too short.", end_s=end_s - start_s),
            _("Keep at least {shortest_s} s, or drop the clip.", shortest_s=SHORTEST_S),
        )


def _middle(word: Word) -> float:
    return (word.start_s + word.end_s) / 2


def _moved(word: Word, start_s: float, end_s: float) -> Word:
    begin, end = max(word.start_s, start_s) - start_s, min(word.end_s, end_s) - start_s
    return replace(word, start_s=begin, end_s=end)


def _place(opcodes: Sequence[tuple[str, int, int, int, int]], at: int, text: str) -> int:
    """Where in `text` the character `at` of what was heard stands, at the edge of a word."""
    for _unused, heard_from, heard_to, text_from, text_to in opcodes:
        if heard_from <= at < heard_to:
            share = (at - heard_from) / (heard_to - heard_from)
            place = text_from + round(share * (text_to - text_from))
            return _edge(text, place)
    return len(text)


def _edge(text: str, place: int) -> int:
    """The edge of a word nearest to `place`; `place` itself in a text without spaces."""
    edges = [0, *(i + 1 for i, c in enumerate(text) if c.isspace()), len(text)]
    return place if len(edges) == 2 else min(edges, key=lambda edge: abs(edge - place))


# EBU R 128's programme loudness; speech at it leaves room for its peaks.
TARGET_LUFS = -23.0
# Silence must not become noise.
_MOST_GAIN_DB = 30.0


def excerpt(recording: Speech, start_s: float, end_s: float) -> Speech:
    """The samples between two times that lie on whole samples."""
    first, last = (round(at_s * recording.sample_rate_hz) for at_s in (start_s, end_s))
    return replace(recording, samples=recording.samples[first:last], words=())


def clean_excerpt(recording: Speech, start_s: float, end_s: float) -> Speech:
    """As `excerpt`, without its noise.

    The filter hears the second before it, too, since it takes a while to know the noise.
    """
    from_s = max(start_s - _RUN_UP_S, 0.0)
    clean = remove_noise(excerpt(recording, from_s, end_s))
    wanted = len(excerpt(recording, start_s, end_s).samples)
    return replace(clean, samples=clean.samples[len(clean.samples) - wanted :])


def gain_to_target_db(clip: Speech, loudness_of_recording: float | None) -> float:
    """What brings a clip to -23 LUFS without a peak above -1 dBFS, rounded to 0.01 dB.

    A clip too short for its own loudness (BS.1770 needs 0.4 s) takes the recording's.
    """
    loudness = loudness_lufs(clip)
    if loudness is None:
        loudness = loudness_of_recording
    room_db = headroom_db(clip)
    if loudness is None or math.isinf(room_db):
        return 0.0
    # Rounded down, so that the peak stays where it may be.
    return math.floor(min(TARGET_LUFS - loudness, room_db, _MOST_GAIN_DB) * 100) / 100


def clip_wav(clip: Speech, gain_db: float) -> bytes:
    """A wav file, mono, 22,050 Hz, 16 bit."""
    if clip.sample_rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"clips are cut at {SAMPLE_RATE_HZ} Hz, not {clip.sample_rate_hz}")
    return encode_speech(Speech(clip.samples * 10 ** (gain_db / 20), SAMPLE_RATE_HZ), "wav")
