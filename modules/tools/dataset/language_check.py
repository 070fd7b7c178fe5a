"""Whether the recordings of a dataset are in the language they are transcribed in.

A recording of some seconds says too little alone, and a look at each of a thousand would take as
long as transcribing a third of them: short ones are joined, and looked at together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.recording_languages import OTHER_LANGUAGE
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, Dataset, Source
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech
from modules.tools.listening.language_check import LEAST_S, other_language
from modules.tools.services import Services

# A recording with so much in its clips is looked at alone; shorter ones, joined to it.
_ALONE_S = 10.0
_CHECKED = "language_checked"


class RecordingLanguages:
    """Marks the sources of one building that surely are in another language than `chosen`."""

    def __init__(self, services: Services, chosen: str) -> None:
        self._services = services
        self.chosen = chosen

    def marked(self, source: Source, speech: Speech, cancel: CancelToken) -> Source:
        """The source of a recording; a short one is left to `mark_short`."""
        if not _is_transcribed(source) or _seconds(source) < _ALONE_S:
            return source
        return _with_mark(source, self._other(speech, cancel))

    def mark_short(self, dataset: Dataset, cancel: CancelToken) -> Iterator[Source]:
        """The short sources that were not looked at yet, marked, to be saved; in the order of the
        dataset, so that a build that was interrupted ends with the same."""
        group: list[Source] = []
        for source in dataset.sources:
            is_new = _is_transcribed(source) and not source.made_with.get(_CHECKED)
            if is_new and 0 < _seconds(source) < _ALONE_S:
                group.append(source)
            if sum(map(_seconds, group)) >= _ALONE_S:
                yield from self._marked_together(dataset, group, cancel)
                group = []
        if sum(map(_seconds, group)) >= LEAST_S:
            yield from self._marked_together(dataset, group, cancel)

    def _marked_together(
        self, dataset: Dataset, group: Sequence[Source], cancel: CancelToken
    ) -> Iterator[Source]:
        cancel.raise_if_cancelled()
        try:
            sounds = [_sound_of(dataset, source) for source in group]
        except StudioError:  # the report says which cannot be read
            return
        found = self._other(_joined(sounds), cancel)
        for source, sound in zip(group, sounds, strict=True):
            own = found
            if found and len(group) > 1 and _seconds(source) >= LEAST_S:
                own = self._other(sound, cancel)  # it may be one of the others
            marked = _with_mark(source, own)
            yield replace(marked, made_with={**marked.made_with, _CHECKED: True})

    def _other(self, speech: Speech, cancel: CancelToken) -> list[Any]:
        found = other_language(self._services, speech, self.chosen, cancel)
        return [] if found is None else [found.language, round(found.probability, 4)]


def _is_transcribed(source: Source) -> bool:
    """Whether its text is what the model wrote, and not given with the recording."""
    return source.made_with.get("text") == "heard"


def _seconds(source: Source) -> float:
    return sum(clip.duration_s for clip in source.clips if not clip.dropped)


def _sound_of(dataset: Dataset, source: Source) -> Speech:
    clips = [clip for clip in source.clips if not clip.dropped]
    return _joined([read_speech(dataset.wav_of(clip), SAMPLE_RATE_HZ) for clip in clips])


def _joined(sounds: Sequence[Speech]) -> Speech:
    return Speech(np.concatenate([sound.samples for sound in sounds]), SAMPLE_RATE_HZ)


def _with_mark(source: Source, found: list[Any]) -> Source:
    if not found:
        return source
    return replace(source, made_with={**source.made_with, OTHER_LANGUAGE: found})
