"""Reading any recording, writing speech."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.decode import (
    HINT_FORMATS,
    RAW_FORMATS,
    ChannelFacts,
    Downmix,
    decode_mono,
)
from modules.core_components.audio.encode import (
    FORMATS,
    audio_sha256,
    encode_speech,
    pcm_sha256,
    to_pcm16,
)
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.audio.speech_regions import speech_seconds
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray, Speech

_MOST_CHANNELS = 8
# Another mix of the channels is taken when it holds this much more speech.
_CLEARLY_MORE, _LEAST_MORE_S = 1.2, 0.3
# A channel is noise with less than this share of another's speech and more than that of its power.
_SPEECHLESS, _LOUD = 0.02, 0.1
_EXCERPTS_S, _EXCERPTS = 600.0, 10
_INVERTED_NOTE = "Its channels cancel each other; one was inverted."

__all__ = [
    "FORMATS",
    "audio_sha256",
    "encode_speech",
    "pcm_sha256",
    "read_speech",
    "write_flac",
    "write_speech",
]


def read_speech(
    source: Path | str | bytes,
    sample_rate_hz: int | None = None,
    max_duration_s: float | None = None,
    track: int = 0,
    keep_times: bool = True,
    called: str = "",
    cancel: CancelToken | None = None,
) -> Speech:
    """The sound of a file (or of a file's bytes) as mono, at its own rate or at the one given.

    Sound and video containers alike; decoding stops as soon as `max_duration_s` is passed, so a
    file of any length costs no more memory than that. `track` counts from 1, 0 is the file's
    default. With `keep_times` silence stands where the file has none of the track's sound, so that
    times in the samples are times in the file. Channels are averaged; where that would lose the
    speech (they cancel each other, or noise in one covers it) those that carry it are taken, and
    `notes` say so. Messages call the recording `called`, or else by its file name. `cancel`
    is looked at between the pieces that are decoded (JobCancelled).

    Raises BadInputError, with what to do, for a file that is missing, empty, no recording, damaged,
    silent in the sense of having no samples, too long, holding NaN or infinity, or without that
    track.
    """
    if isinstance(source, bytes):
        name = called or "The recording"
        reading = _Reading(name, None, sample_rate_hz, max_duration_s, track, keep_times, cancel)
        return reading.read(io.BytesIO(source))
    path = Path(source)
    name = called or path.name
    _check_is_file(path, name)
    raw_format = RAW_FORMATS.get(path.suffix.lower())
    reading = _Reading(name, raw_format, sample_rate_hz, max_duration_s, track, keep_times, cancel)
    try:
        with path.open("rb") as stream:
            return reading.read(stream)
    except OSError as error:
        raise BadInputError(
            f"{name} cannot be opened: {error.strerror or error}.",
            "Check that you may read the file.",
        ) from error


def write_speech(path: Path, speech: Speech, fmt: str | None = None) -> None:
    """Writes wav, flac or mp3 (by `fmt` or the suffix), whole or not at all.

    Raises BadInputError for another format and DiskFullError when there is no room.
    """
    content = encode_speech(speech, fmt or path.suffix.lower().removeprefix("."))
    atomic.write_bytes(path, content)


def write_flac(path: Path, speech: Speech) -> None:
    """Writes a 16-bit flac file, whole or not at all, a minute at a time: hours of speech take no
    more memory than they have. Raises DiskFullError."""
    import soundfile

    step = 60 * speech.sample_rate_hz
    about = {"samplerate": speech.sample_rate_hz, "channels": 1, "subtype": "PCM_16"}
    with (
        atomic.atomic_path(path) as partial,
        soundfile.SoundFile(partial, "w", format="FLAC", **about) as file,
    ):
        for start in range(0, len(speech.samples), step):
            file.write(to_pcm16(speech.samples[start : start + step]))


def _check_is_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise BadInputError(f"{name} is a folder, not a recording.", "Choose a file in it.")
    if not path.exists():
        if name != path.name:  # a copy that the studio made
            raise BadInputError(f"{name} is not kept any more.", "Give it again.")
        raise BadInputError(f"There is no file {path}.", "Check the name and the folder.")
    if not path.is_file():
        raise BadInputError(f"{name} is not a file.", HINT_FORMATS)
    if path.stat().st_size == 0:
        raise BadInputError(f"{name} is empty (0 bytes).", "Record or copy it again.")


@dataclass(frozen=True)
class _Reading:
    """What `read_speech` was asked for; `name` is what messages call the recording."""

    name: str
    raw_format: str | None
    sample_rate_hz: int | None
    max_duration_s: float | None
    track: int
    keep_times: bool
    cancel: CancelToken | None = None

    def read(self, stream: BinaryIO) -> Speech:
        """The sound, with the mix of its channels that carries the speech."""
        facts = ChannelFacts()
        speech = self._collect(stream, Downmix(), facts)
        return self._with_speech(stream, speech, facts) if facts.differ else speech

    def _with_speech(self, stream: BinaryIO, speech: Speech, facts: ChannelFacts) -> Speech:
        """`speech`, or another mix of its channels that carries the speech better."""
        most_s = _speech_in_excerpts_s(speech)
        if facts.cancel:
            plain = self._collect(stream, Downmix(align=False), ChannelFacts())
            if _speech_in_excerpts_s(plain) > _CLEARLY_MORE * most_s + _LEAST_MORE_S:
                return plain
            return replace(speech, notes=(_INVERTED_NOTE,))
        spoken_s, power = [], []
        for number in range(min(facts.count, _MOST_CHANNELS)):
            channel = self._collect(stream, Downmix(number), ChannelFacts())
            spoken_s.append(_speech_in_excerpts_s(channel))
            power.append(float(np.square(channel.samples).mean()))
        best = int(np.argmax(spoken_s))
        others = [number for number in range(len(spoken_s)) if number != best]
        speechless = max(spoken_s[number] for number in others) < _SPEECHLESS * spoken_s[best]
        covered = speechless and max(power[number] for number in others) > _LOUD * power[best]
        if covered or spoken_s[best] > _CLEARLY_MORE * most_s + _LEAST_MORE_S:
            note = f"Only channel {best + 1} was used: the others cover its speech."
            alone = self._collect(stream, Downmix(best), ChannelFacts())
            return replace(alone, notes=(note,))
        return speech

    def _collect(self, stream: BinaryIO, downmix: Downmix, facts: ChannelFacts) -> Speech:
        stream.seek(0)
        resampler = StreamResampler(self.sample_rate_hz)
        pieces: list[FloatArray] = []
        duration_s = 0.0
        for samples, rate_hz in decode_mono(
            stream, self.name, self.raw_format, self.track, self.keep_times, downmix, facts
        ):
            if self.cancel is not None:
                self.cancel.raise_if_cancelled()
            if not np.isfinite(samples).all():
                raise BadInputError(
                    f"{self.name} holds values that are not numbers (NaN or infinity).",
                    "Export it again from the program that made it, as 16-bit wav for instance.",
                )
            duration_s += len(samples) / rate_hz
            if self.max_duration_s is not None and duration_s > self.max_duration_s:
                raise BadInputError(
                    f"{self.name} is longer than {_spoken_duration(self.max_duration_s)}.",
                    "Cut out a shorter part, or raise the limit in the settings.",
                )
            pieces.append(resampler.feed(samples, rate_hz))
        pieces.append(resampler.finish())
        joined = np.concatenate(pieces)
        if not len(joined):
            raise BadInputError(f"{self.name} holds no sound: its length is zero.", HINT_FORMATS)
        return Speech(joined, resampler.to_hz)


def _speech_in_excerpts_s(speech: Speech) -> float:
    """How long somebody speaks in it; of a long recording, in parts spread over it."""
    if speech.duration_s <= _EXCERPTS_S:
        return speech_seconds(speech)
    length = round(_EXCERPTS_S / _EXCERPTS * speech.sample_rate_hz)
    starts = np.linspace(0, len(speech.samples) - length, _EXCERPTS).astype(int)
    pieces = (speech.samples[start : start + length] for start in starts)
    return sum(speech_seconds(Speech(piece, speech.sample_rate_hz)) for piece in pieces)


def _spoken_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} seconds"
    return f"{seconds / 60:g} minutes"
