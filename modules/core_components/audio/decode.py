"""Decoding any recording: its tracks, its sound in order of time, its channels made one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.core_components.values import FloatArray

logger = logging.getLogger(__name__)

# Only containers that hold the sound themselves: playlists (HLS, concat, SDP) would let an uploaded
# file make FFmpeg open other files and addresses.
_CONTAINERS = (
    "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,dts,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,"
    "flv,mpeg,mpegts,mpegtsraw,mxf,nut,amr,amrnb,amrwb,g722,gsm,ape,tta,wv,mpc,mpc8,tak,rm,voc,"
    "nistsphere"
)
# Raw streams without a header; nothing but the file's name says what they are.
RAW_FORMATS = {".g722": "g722", ".gsm": "gsm"}
# How the files of these containers are usually called; the content decides whether one is read.
MEDIA_SUFFIXES = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".spx", ".m4a", ".m4b", ".aac", ".wma"),
    *(".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".amr", ".awb", ".ape", ".tta"),
    *(".wv", ".mpc", ".tak", ".voc", ".sph", ".ac3", ".eac3", ".dts", ".mka", *RAW_FORMATS),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".weba", ".avi", ".wmv", ".asf", ".flv", ".mpg"),
    *(".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".3gp", ".3gpp", ".3g2", ".ogv", ".mxf", ".nut"),
    *(".rm", ".ra"),
)
HINT_FORMATS = mark("Give a recording such as wav, mp3, m4a, flac, ogg or a video with sound.")

_NAMES_OF_PROGRAMS = ("handler", "iso media", "core media")
_PLAUSIBLE_RATES_HZ = range(1_000, 768_001)
# Timestamps differ from the count of samples by rounding; only more than this is a gap.
_LEAST_GAP_S = 0.1
# A jump of the timestamps beyond this, or beyond the container's end, is a fault and no gap.
_LONGEST_GAP_S = 3600.0
_SILENCE_PIECE_S = 10.0
_MIX_BLOCK_S = 0.5
_FADE_S = 0.01
# A channel is inverted where that makes the sum of the channels this many times as powerful.
_INVERTED_GAIN = 4.0
# Below this share of the channels' mean power their mean may have lost something.
_DIFFERING_SHARE = 0.75
_NOTICEABLE_SHARE = 0.02


@dataclass(frozen=True)
class Track:
    """An audio track of a recording; `number` counts from 1, `language` is the file's own code."""

    number: int
    language: str = ""
    title: str = ""
    channels: int = 1
    is_default: bool = False

    @property
    def label(self) -> str:
        """Such as "2 (fre, Commentary)"."""
        about = ", ".join(filter(None, [self.language, self.title]))
        return f"{self.number} ({about})" if about else str(self.number)


@dataclass(frozen=True)
class Downmix:
    """How the channels become one.

    `channel` from 0 takes that channel alone. Otherwise it is the mean of all, with `align` after
    inverting those that would cancel the others.
    """

    channel: int | None = None
    align: bool = True


@dataclass
class ChannelFacts:
    """What decoding found out about the channels of a track."""

    count: int = 1
    duration_s: float = 0.0
    inverted_s: float = 0.0
    channel_energy: float = 0.0
    mean_energy: float = 0.0

    @property
    def differ(self) -> bool:
        """Whether the channels are so different that their mean may hide the speech in one."""
        if self.count < 2:
            return False
        return self.cancel or self.mean_energy < _DIFFERING_SHARE * self.channel_energy

    @property
    def cancel(self) -> bool:
        """Whether a channel had to be inverted for a noticeable part of the time."""
        return self.inverted_s > _NOTICEABLE_SHARE * self.duration_s


def list_tracks(path: Path) -> tuple[Track, ...]:
    """The audio tracks that can be decoded, in the order of the file.

    Raises BadInputError when the file is no recording or holds no sound.
    """
    with (
        path.open("rb") as stream,
        _opened(stream, path.name, RAW_FORMATS.get(path.suffix.lower())) as container,
    ):
        return _tracks(container, path.name)


def decode_mono(
    stream: BinaryIO,
    name: str,
    raw_format: str | None = None,
    track: int = 0,
    keep_times: bool = True,
    downmix: Downmix = Downmix(),
    facts: ChannelFacts | None = None,
) -> Iterator[tuple[FloatArray, int]]:
    """Yields (samples float32 [n], rate in Hz), the channels made one, in order of time.

    `track` counts from 1; 0 is the file's default track, or its first. With `keep_times`, silence
    stands where the timestamps leave a gap, also before a track that begins later than its
    container: a sample's place is its time in the file. `facts` is filled in.

    A broken packet is skipped, as players do. Raises BadInputError when `stream` is no recording,
    holds no sound or no such track, or is mostly damaged. `name` is what messages call it.
    """
    facts = facts if facts is not None else ChannelFacts()
    with _opened(stream, name, raw_format) as container:
        tracks = _tracks(container, name)
        chosen = _chosen(tracks, track, name)
        source = container.streams.audio[chosen.number - 1]
        pieces = _channels(container, source, name, keep_times)
        yield from _mixed(pieces, downmix, facts)


@contextmanager
def _opened(stream: BinaryIO, name: str, raw_format: str | None) -> Iterator[Any]:
    import av

    try:
        with av.open(
            stream,
            format=raw_format,
            metadata_errors="replace",
            options={"format_whitelist": _CONTAINERS},
        ) as container:
            yield container
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        logger.info("%s could not be decoded: %s", name, error)
        raise BadInputError(
            _(
                "{name} is not a recording that can be read: it is damaged or of another kind.",
                name=name,
            ),
            _(HINT_FORMATS),
        ) from error


def _tracks(container: Any, name: str) -> tuple[Track, ...]:
    from av.stream import Disposition

    found = tuple(
        Track(
            number,
            _tag(stream, "language"),
            _tag(stream, "title") or _tag(stream, "handler_name"),
            stream.codec_context.channels,
            bool(stream.disposition & Disposition.default),
        )
        for number, stream in enumerate(container.streams.audio, start=1)
        if stream.codec_context is not None
    )
    if not found:
        raise BadInputError(_("{name} holds no sound.", name=name), _(HINT_FORMATS))
    return found


def _tag(stream: Any, key: str) -> str:
    value = str(stream.metadata.get(key, "")).strip()
    # What programs write where nothing is known.
    unknown = value == "und" or any(part in value.lower() for part in _NAMES_OF_PROGRAMS)
    return "" if unknown else value


def _chosen(tracks: Sequence[Track], number: int, name: str) -> Track:
    if not number:
        return default_track(tracks)
    for track in tracks:
        if track.number == number:
            return track
    raise BadInputError(
        _("{name} has no audio track {number}.", name=name, number=number),
        _("Its audio tracks: {names}.", names=", ".join(track.label for track in tracks)),
        "track",
    )


def default_track(tracks: Sequence[Track]) -> Track:
    """The first that the file marks as its default, else the first."""
    return next((track for track in tracks if track.is_default), tracks[0])


def _channels(
    container: Any, source: Any, name: str, keep_times: bool
) -> Iterator[tuple[NDArray[Any], int]]:
    """(samples [channels, n], rate in Hz), with silence in the gaps of the timestamps."""
    import av

    # Players show times from the start of the container, which transport streams count from
    # anywhere.
    shift_s = -(container.start_time or 0) / av.time_base
    end_s = container.duration / av.time_base if container.duration else None
    position_s = 0.0
    for frame in _frames(container, source, name):
        samples, rate_hz = _samples(frame), frame.sample_rate
        if keep_times and frame.pts is not None and frame.time_base:
            gap_s = float(frame.pts * frame.time_base) + shift_s - position_s
            if _is_gap(gap_s, position_s, end_s):
                for silence in _silence(gap_s, samples, rate_hz):
                    position_s += silence.shape[1] / rate_hz
                    yield silence, rate_hz
            elif abs(gap_s) > _LEAST_GAP_S:
                logger.info("%s: the timestamps jump at %.1f s", name, position_s)
                shift_s -= gap_s
        position_s += samples.shape[1] / rate_hz
        yield samples, rate_hz


def _is_gap(gap_s: float, position_s: float, end_s: float | None) -> bool:
    if not _LEAST_GAP_S < gap_s <= _LONGEST_GAP_S:
        return False
    return end_s is None or position_s + gap_s <= end_s + 1.0


def _silence(seconds: float, like: NDArray[Any], rate_hz: int) -> Iterator[NDArray[Any]]:
    left = round(seconds * rate_hz)
    while left > 0:
        count = min(left, round(_SILENCE_PIECE_S * rate_hz))
        yield np.zeros((like.shape[0], count), like.dtype)
        left -= count


def _frames(container: Any, source: Any, name: str) -> Iterator[Any]:
    import av

    packets = broken = 0
    for packet in container.demux(source):
        packets += 1
        try:
            frames = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            broken += 1
            continue
        for frame in frames:
            if frame.sample_rate not in _PLAUSIBLE_RATES_HZ:
                raise ValueError(f"sample rate {frame.sample_rate}")
            yield frame
    if broken:
        logger.warning("%s: %d of %d packets are damaged and were left out", name, broken, packets)
    if 2 * broken > packets:
        raise BadInputError(
            _("{name} is damaged: most of it cannot be decoded.", name=name), _(HINT_FORMATS)
        )


def _samples(frame: Any) -> NDArray[Any]:
    """[channels, n] of a PyAV frame, integers scaled to -1..1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128.0) / 128.0
    if np.issubdtype(samples.dtype, np.integer):
        return samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)
    return np.asarray(samples)


def _mixed(
    pieces: Iterator[tuple[NDArray[Any], int]], downmix: Downmix, facts: ChannelFacts
) -> Iterator[tuple[FloatArray, int]]:
    """The pieces in one channel; of several, in blocks that are long enough to be compared."""
    waiting: list[NDArray[Any]] = []
    shape: tuple[int, int] = (1, 0)
    signs = np.ones(1)

    def mix() -> FloatArray:
        nonlocal signs
        block = np.concatenate(waiting, axis=1)
        waiting.clear()
        if downmix.channel is not None:
            return np.asarray(block[min(downmix.channel, len(block) - 1)], dtype=np.float32)
        facts.channel_energy += float(np.square(block).mean(axis=0).sum())
        facts.mean_energy += float(np.square(block.mean(axis=0)).sum())
        before = signs
        if downmix.align:
            signs = _aligned_signs(block, before)
        facts.duration_s += block.shape[1] / shape[1]
        if (signs < 0).any():
            facts.inverted_s += block.shape[1] / shape[1]
        return _mean(block, before, signs, round(_FADE_S * shape[1]))

    for samples, rate_hz in pieces:
        if len(samples) == 1 and not waiting:
            yield np.asarray(samples[0], dtype=np.float32), rate_hz
            continue
        if (len(samples), rate_hz) != shape:
            if waiting:
                yield mix(), shape[1]
            shape, signs = (len(samples), rate_hz), np.ones(len(samples))
            facts.count = max(facts.count, len(samples))
        waiting.append(samples)
        if sum(piece.shape[1] for piece in waiting) >= _MIX_BLOCK_S * rate_hz:
            yield mix(), rate_hz
    if waiting:
        yield mix(), shape[1]


def _aligned_signs(block: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    """For each channel 1 or -1, so that none of them cancels the sum of those in front of it.

    A sign stays as it is unless the other one is much better.
    """
    signs = before.copy()
    total = block[0] * signs[0]
    for index in range(1, len(block)):
        channel = block[index] * signs[index]
        if np.square(total - channel).sum() > _INVERTED_GAIN * np.square(total + channel).sum():
            signs[index] = -signs[index]
            channel = -channel
        total = total + channel
    return signs


def _mean(block: NDArray[Any], before: NDArray[Any], signs: NDArray[Any], fade: int) -> FloatArray:
    """The mean of the channels by their signs; a change of signs is faded over `fade` samples."""
    mean = block.mean(axis=0) if (signs > 0).all() else (block * signs[:, None]).mean(axis=0)
    if not np.array_equal(before, signs):
        fade = min(fade, block.shape[1])
        ramp = np.linspace(0.0, 1.0, fade)
        old = (block[:, :fade] * before[:, None]).mean(axis=0)
        mean[:fade] = ramp * mean[:fade] + (1.0 - ramp) * old
    return np.asarray(mean, dtype=np.float32)
