"""A model of a remote that transcribes, as an engine: recordings are sent to the remote.

Long recordings are sent in parts that end in pauses: servers limit what they take, and progress
and cancelling need them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import (
    ListeningEngine,
    Transcription,
    TranscriptionInfo,
)
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.options import option
from modules.core_components.ai_models.engines.remote.connection import Call, Connection
from modules.core_components.ai_models.engines.remote.health import RemoteHealth
from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.speech_regions import speech_regions
from modules.core_components.errors import BadInputError, RemoteError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.language_codes import language_tag
from modules.core_components.texts import _
from modules.core_components.units import clock_text
from modules.core_components.values import Segment, Speech, Word

SAMPLE_RATE_HZ = 16_000
# 25 MB is the limit of OpenAI's server; ten minutes are about 11 MB of flac.
_PART_S, _LOOK_BACK_S = 600.0, 60.0
_ANSWER_BYTES = 20_000_000
_MOST_TIMED = 200_000


@dataclass(frozen=True)
class RemoteListeningOptions:
    """What every server with OpenAI's API takes."""

    language: str = option("auto", "Language", "ISO 639-1 code, or auto to detect it.")
    task: str = option(
        "transcribe", "Task", "Transcribe, or translate to English.",
        choices=("transcribe", "translate"),
    )  # fmt: skip
    word_timestamps: bool = option(False, "Word times", "Also find when each word was said.")
    initial_prompt: str = option("", "Prompt", "Text in the style and with the names to expect.")
    temperature: float = option(
        0.0, "Temperature", "0 takes the likeliest words.", minimum=0.0, maximum=1.0, step=0.1
    )


class _Timed(BaseModel):
    """A segment or a word of OpenAI's verbose_json; times in seconds."""

    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(ge=0, allow_inf_nan=False)
    text: str = ""
    word: str = ""
    speaker: str | None = None


class _Answer(BaseModel):
    """OpenAI's verbose_json, or its json, which is the text alone."""

    text: str
    language: str | None = None
    segments: list[_Timed] | None = Field(None, max_length=_MOST_TIMED)
    words: list[_Timed] | None = Field(None, max_length=_MOST_TIMED)


class RemoteListener(ListeningEngine):
    """A handle on a transcribing model of a remote; it leases nothing."""

    options_type = RemoteListeningOptions
    model_revision = "remote"

    def __init__(
        self, entry: ModelEntry, context: EngineContext, connection: Connection, model: str
    ) -> None:
        self._entry = entry
        self.model_id = entry.id
        self.label = entry.label
        self.languages = tuple(entry.languages)
        self.health = RemoteHealth()
        self._connection = connection
        self._model = model

    def load(self, cancel: CancelToken | None = None) -> None:
        """Nothing: the other machine loads it at the first request."""

    def transcribe_speech(
        self,
        speech: Speech,
        options: RemoteListeningOptions,
        progress: Progress,
        cancel: CancelToken,
    ) -> Transcription:
        """Sends the recording, its first ten minutes before this returns.

        Raises RemoteError where the remote does not deliver, BadInputError where it refuses, and
        JobCancelled.
        """
        if not np.isfinite(speech.samples).all():
            raise BadInputError(_("The recording has samples that are not numbers."))
        parts = parts_at_pauses(speech, cancel)
        if not parts:
            return Transcription(TranscriptionInfo("", 0.0, speech.duration_s, 0.0), iter(()))
        progress(0.0, _("{name} transcribes", name=self._connection.name))
        first = self._send(parts[0], options, cancel)
        language = language_tag(first.language or "").partition("-")[0]
        known = options.language not in ("", "auto")
        info = TranscriptionInfo(
            options.language if known else language, 1.0, speech.duration_s, speech.duration_s
        )
        return Transcription(info, self._segments(parts, first, options, progress, cancel))

    def _segments(
        self,
        parts: list[tuple[float, Speech]],
        first: _Answer,
        options: RemoteListeningOptions,
        progress: Progress,
        cancel: CancelToken,
    ) -> Iterator[Segment]:
        whole_s = parts[-1][0] + parts[-1][1].duration_s
        for number, part in enumerate(parts):
            answer = self._send(part, options, cancel) if number else first
            start_s, speech = part
            end_s = start_s + speech.duration_s
            progress(
                end_s / whole_s,
                _("Transcribed {at} of {whole}", at=clock_text(end_s), whole=clock_text(whole_s)),
            )
            yield from segments_of(answer, start_s, speech.duration_s)

    def _send(
        self, part: tuple[float, Speech], options: RemoteListeningOptions, cancel: CancelToken
    ) -> _Answer:
        translate = options.task == "translate"
        times = ["segment", "word"] if options.word_timestamps else ["segment"]
        fields: dict[str, Any] = {"model": self._model, "response_format": "verbose_json"}
        if not translate:
            fields["timestamp_granularities[]"] = times
            if options.language not in ("", "auto"):
                fields["language"] = options.language
        if options.initial_prompt:
            fields["prompt"] = options.initial_prompt
        if options.temperature:
            fields["temperature"] = str(options.temperature)
        recording = ("recording.flac", encode_speech(part[1], "flac"), "audio/flac")
        path = f"/v1/audio/{'translations' if translate else 'transcriptions'}"
        with self.health.watched():
            return self._ask(Call(path, fields=fields, files={"file": recording}), cancel)

    def _ask(self, call: Call, cancel: CancelToken) -> _Answer:
        try:
            answer = self._connection.ask(call, cancel, _ANSWER_BYTES)
        except BadInputError as error:
            # Some models have the text alone, without times.
            if "response_format" not in error.message and "verbose_json" not in error.message:
                raise
            fields: Mapping[str, Any] = call.fields or {}
            plain = {k: v for k, v in fields.items() if not k.startswith("timestamp")}
            plain["response_format"] = "json"
            answer = self._connection.ask(replace(call, fields=plain), cancel, _ANSWER_BYTES)
        try:
            return _Answer.model_validate(answer)
        except ValidationError as error:
            raise RemoteError(
                _("{name} sent no transcript that can be read.", name=self._connection.name),
                _("Check that the chosen model transcribes."),
                details=str(error.errors(include_url=False, include_input=False)[0]["msg"]),
            ) from error


def segments_of(answer: _Answer, start_s: float, duration_s: float) -> Iterator[Segment]:
    """The segments of an answer about a part, with times in the whole recording.

    Words go to the segment in which they begin. An answer without segments is one.
    """
    words = [
        Word((one.word or one.text).strip(), *_within(one, start_s, duration_s))
        for one in answer.words or ()
    ]
    timed = answer.segments or [_Timed(start=0.0, end=duration_s, text=answer.text)]
    spans = [_within(one, start_s, duration_s) for one in timed]
    for number, (one, (begin_s, end_s)) in enumerate(zip(timed, spans, strict=True)):
        if not one.text.strip():
            continue
        from_s = begin_s if number else -math.inf
        until_s = spans[number + 1][0] if number + 1 < len(spans) else math.inf
        own = tuple(word for word in words if from_s <= word.start_s < until_s)
        yield Segment(one.text.strip(), begin_s, end_s, own, one.speaker)


def _within(one: _Timed, start_s: float, duration_s: float) -> tuple[float, float]:
    begin_s = min(one.start, duration_s)
    return start_s + begin_s, start_s + min(max(one.end, begin_s), duration_s)


def parts_at_pauses(speech: Speech, cancel: CancelToken) -> list[tuple[float, Speech]]:
    """A recording as parts of at most ten minutes with where each begins, in seconds; cut in the
    longest pause of a part's last minute. None of a recording without samples."""
    rate_hz, total_s = speech.sample_rate_hz, speech.duration_s
    if total_s <= _PART_S:
        return [(0.0, speech)] if len(speech.samples) else []
    regions = speech_regions(speech, cancel)
    pauses = [(a[1], b[0]) for a, b in pairwise(regions)]
    cuts = [0.0]
    while total_s - cuts[-1] > _PART_S:
        latest_s = cuts[-1] + _PART_S
        near = [p for p in pauses if latest_s - _LOOK_BACK_S <= sum(p) / 2 <= latest_s]
        longest = max(near, key=lambda pause: pause[1] - pause[0], default=(latest_s, latest_s))
        cuts.append(sum(longest) / 2)
    edges = [round(cut * rate_hz) for cut in cuts] + [len(speech.samples)]
    return [(a / rate_hz, Speech(speech.samples[a:b], rate_hz)) for a, b in pairwise(edges)]
