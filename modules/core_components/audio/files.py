"""Reading any recording, writing speech."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    file_parameters,
    pcm_sha256,
    to_pcm16,
    written_rate_hz,
)
from modules.core_components.audio.measure import INAUDIBLE
from modules.core_components.audio.refusals import silent
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.audio.speech_regions import speech_seconds
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _, mark
from modules.core_components.values import FloatArray, Speech

_MOST_CHANNELS = 8
# Another mix of the channels is taken when it holds this much more speech.
_CLEARLY_MORE, _LEAST_MORE_S = 1.2, 0.3
# A channel is noise with less than this share of another's speech and more than that of its power.
_SPEECHLESS, _LOUD = 0.02, 0.1
_EXCERPTS_S, _EXCERPTS = 600.0, 10
_PIECE_S = 5.0
_INVERTED_NOTE = mark("Its channels cancel each other; one was inverted.")

__all__ = [
    "FORMATS",
    "PiecewiseRecording",
    "audio_sha256",
    "check_audible",
    "encode_speech",
    "pcm_sha256",
    "read_speech",
    "write_flac",
    "write_pieces",
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
        name = called or _("The recording")
        reading = _Reading(name, None, sample_rate_hz, max_duration_s, track, keep_times, cancel)
        return reading.read(io.BytesIO(source))
    path = Path(source)
    name = called or path.name
    _check_is_file(path, name)
    raw_format = RAW_FORMATS.get(path.suffix.lower())
    reading = _Reading(name, raw_format, sample_rate_hz, max_duration_s, track, keep_times, cancel)
    with _opened(path, name) as stream:
        return reading.read(stream)


def check_audible(path: Path, track: int = 0, called: str = "") -> None:
    """Decodes a recording as far as its first sound: a moment, unless it is silent.

    Raises BadInputError as `read_speech` does, and for silence.
    """
    name = called or path.name
    _check_is_file(path, name)
    raw_format = RAW_FORMATS.get(path.suffix.lower())
    reading = _Reading(name, raw_format, None, None, track, False)
    facts = ChannelFacts()
    with _opened(path, name) as stream:
        for piece, _unused in reading.pieces(stream, Downmix(), facts):
            if float(np.abs(piece).max(initial=0.0)) > INAUDIBLE:
                return
    if not facts.differ:  # channels that cancel each other are silent as a mean only
        raise silent(name)


def write_speech(path: Path, speech: Speech, fmt: str | None = None) -> None:
    """Writes wav, flac or mp3 (by `fmt` or the suffix), whole or not at all.

    Raises BadInputError for another format and DiskFullError when there is no room.
    """
    content = encode_speech(speech, fmt or path.suffix.lower().removeprefix("."))
    atomic.write_bytes(path, content)


def write_flac(path: Path, speech: Speech) -> None:
    """Writes a 16-bit flac file, whole or not at all, a minute at a time: hours of speech take no
    more memory than they have. Raises DiskFullError."""
    step = 60 * speech.sample_rate_hz
    pieces = (speech.samples[at : at + step] for at in range(0, len(speech.samples), step))
    write_pieces(path, pieces, speech.sample_rate_hz, "flac")


def write_pieces(path: Path, pieces: Iterable[FloatArray], sample_rate_hz: int, fmt: str) -> None:
    """Writes what comes in pieces, float32 [n], as `write_speech` does the whole; raises
    what it raises."""
    import soundfile

    rate_hz = written_rate_hz(sample_rate_hz, fmt)
    resampler = StreamResampler(rate_hz)
    about = {"samplerate": rate_hz, "channels": 1, **file_parameters(fmt)}
    with (
        atomic.atomic_path(path) as partial,
        soundfile.SoundFile(partial, "w", **about) as file,
    ):
        for piece in pieces:
            file.write(to_pcm16(resampler.feed(piece, sample_rate_hz)))
        file.write(to_pcm16(resampler.finish()))


class PiecewiseRecording:
    """A recording that is read a piece at a time, as often as wanted, and never held as a whole.

    The same sound as `read_speech` gives. It is decoded once to find its length and which of its
    channels carry the speech. Raises BadInputError as `read_speech` does, and JobCancelled.
    """

    def __init__(self, path: Path, cancel: CancelToken | None = None) -> None:
        _check_is_file(path, path.name)
        self._path = path
        raw_format = RAW_FORMATS.get(path.suffix.lower())
        self._reading = _Reading(path.name, raw_format, None, None, 0, True, cancel)
        facts = ChannelFacts()
        self.length = self.sample_rate_hz = 0
        self.notes: tuple[str, ...] = ()
        self._downmix = Downmix()
        with _opened(path, path.name) as stream:
            for piece, rate_hz in self._reading.pieces(stream, self._downmix, facts):
                self.length += len(piece)
                self.sample_rate_hz = rate_hz
            if facts.differ:
                chosen = self._reading.choose_downmix(stream, facts, self.length)
                self._downmix, self.notes = chosen

    def pieces(self) -> Iterator[FloatArray]:
        """The sound, float32 [n], in order, some seconds at a time."""
        waiting: list[FloatArray] = []
        with _opened(self._path, self._path.name) as stream:
            for piece, rate_hz in self._reading.pieces(stream, self._downmix, ChannelFacts()):
                waiting.append(piece)
                if sum(map(len, waiting)) >= _PIECE_S * rate_hz:
                    yield np.concatenate(waiting)
                    waiting.clear()
        if waiting:
            yield np.concatenate(waiting)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise BadInputError(
            _("{name} cannot be opened: {strerror}.", name=name, strerror=error.strerror or error),
            _("Check that you may read the file."),
        ) from error


def _check_is_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise BadInputError(
            _("{name} is a folder, not a recording.", name=name), _("Choose a file in it.")
        )
    if not path.exists():
        if name != path.name:  # a copy that the studio made
            raise BadInputError(_("{name} is not kept any more.", name=name), _("Give it again."))
        raise BadInputError(
            _("There is no file {path}.", path=path), _("Check the name and the folder.")
        )
    if not path.is_file():
        raise BadInputError(_("{name} is not a file.", name=name), _(HINT_FORMATS))
    if path.stat().st_size == 0:
        raise BadInputError(
            _("{name} is empty (0 bytes).", name=name), _("Record or copy it again.")
        )


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
        if not facts.differ:
            return speech
        downmix, notes = self.choose_downmix(stream, facts, len(speech.samples))
        if downmix != Downmix():
            speech = self._collect(stream, downmix, ChannelFacts())
        return replace(speech, notes=notes)

    def choose_downmix(
        self, stream: BinaryIO, facts: ChannelFacts, length: int
    ) -> tuple[Downmix, tuple[str, ...]]:
        """The mix of differing channels that carries the speech, and what to say about it.

        `length` is that of the recording in samples.
        """
        most_s, _unused = self._heard(stream, Downmix(), length)
        if facts.cancel:
            plain = Downmix(align=False)
            plain_s, _unused = self._heard(stream, plain, length)
            is_better = plain_s > _CLEARLY_MORE * most_s + _LEAST_MORE_S
            return (plain, ()) if is_better else (Downmix(), (_(_INVERTED_NOTE),))
        count = min(facts.count, _MOST_CHANNELS)
        heard = [self._heard(stream, Downmix(number), length) for number in range(count)]
        spoken_s, power = (
            [seconds for seconds, _unused in heard],
            [power for _unused, power in heard],
        )
        best = int(np.argmax(spoken_s))
        others = [number for number in range(count) if number != best]
        speechless = max(spoken_s[number] for number in others) < _SPEECHLESS * spoken_s[best]
        covered = speechless and max(power[number] for number in others) > _LOUD * power[best]
        if covered or spoken_s[best] > _CLEARLY_MORE * most_s + _LEAST_MORE_S:
            note = _(
                "Only channel {number} was used: the others cover its speech.", number=best + 1
            )
            return Downmix(best), (note,)
        return Downmix(), ()

    def pieces(
        self, stream: BinaryIO, downmix: Downmix, facts: ChannelFacts
    ) -> Iterator[tuple[FloatArray, int]]:
        """The sound as (samples float32 [n], rate in Hz), one rate for all. Raises as it says."""
        stream.seek(0)
        resampler = StreamResampler(self.sample_rate_hz)
        duration_s, length = 0.0, 0
        for samples, rate_hz in decode_mono(
            stream, self.name, self.raw_format, self.track, self.keep_times, downmix, facts
        ):
            if self.cancel is not None:
                self.cancel.raise_if_cancelled()
            if not np.isfinite(samples).all():
                raise BadInputError(
                    _(
                        "{name} holds values that are not numbers (NaN or infinity).",
                        name=self.name,
                    ),
                    _("Export it again from the program that made it, as 16-bit wav for instance."),
                )
            duration_s += len(samples) / rate_hz
            if self.max_duration_s is not None and duration_s > self.max_duration_s:
                raise BadInputError(
                    _(
                        "{name} is longer than {duration}.",
                        name=self.name,
                        duration=_spoken_duration(self.max_duration_s),
                    ),
                    _("Cut out a shorter part, or raise the limit in the settings."),
                )
            piece = resampler.feed(samples, rate_hz)
            length += len(piece)
            yield piece, resampler.to_hz
        rest = resampler.finish()
        if not length + len(rest):
            raise BadInputError(
                _("{name} holds no sound: its length is zero.", name=self.name), _(HINT_FORMATS)
            )
        yield rest, resampler.to_hz

    def _collect(self, stream: BinaryIO, downmix: Downmix, facts: ChannelFacts) -> Speech:
        pieces = list(self.pieces(stream, downmix, facts))
        return Speech(np.concatenate([samples for samples, _unused in pieces]), pieces[-1][1])

    def _heard(self, stream: BinaryIO, downmix: Downmix, length: int) -> tuple[float, float]:
        """How long somebody speaks in a mix, and its mean power; of a long recording, in excerpts
        spread over it."""
        excerpts: list[list[FloatArray]] = []
        spans: list[tuple[int, int]] = []
        at, energy, rate_hz = 0, 0.0, 0
        for piece, rate_hz in self.pieces(stream, downmix, ChannelFacts()):
            if not spans:
                spans = _excerpt_spans(length, rate_hz)
                excerpts = [[] for _unused in spans]
            energy += float(np.square(piece, dtype=np.float64).sum())
            for excerpt, (first, end) in zip(excerpts, spans, strict=True):
                part = piece[max(first - at, 0) : max(end - at, 0)]
                if len(part):
                    excerpt.append(part)
            at += len(piece)
        spoken_s = sum(
            speech_seconds(Speech(np.concatenate(excerpt), rate_hz))
            for excerpt in excerpts
            if excerpt
        )
        return spoken_s, energy / max(at, 1)


def _excerpt_spans(length: int, rate_hz: int) -> list[tuple[int, int]]:
    if length <= _EXCERPTS_S * rate_hz:
        return [(0, length)]
    size = round(_EXCERPTS_S / _EXCERPTS * rate_hz)
    starts = np.linspace(0, length - size, _EXCERPTS).astype(int).tolist()
    return [(start, start + size) for start in starts]


def _spoken_duration(seconds: float) -> str:
    if seconds < 120:
        return _("{seconds:g} seconds", seconds=seconds)
    return _("{minutes:g} minutes", minutes=seconds / 60)
