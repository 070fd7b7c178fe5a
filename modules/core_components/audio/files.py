"""Reading any recording, writing speech."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.encode import FORMATS, audio_sha256, encode_speech, pcm_sha256
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Speech

logger = logging.getLogger(__name__)


# Only containers that hold the sound themselves: playlists (HLS, concat, SDP) would let a file that
# somebody sends make FFmpeg open other files and addresses.
_CONTAINERS = (
    "wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,dts,ogg,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,"
    "flv,mpeg,mpegts,amr,amrnb,amrwb,g722,gsm,ape,tta,wv,mpc,mpc8,tak,rm,voc,nistsphere"
)
# Raw streams without a header; nothing but the file's name says what they are.
RAW_FORMATS = {".g722": "g722", ".gsm": "gsm"}
_PLAUSIBLE_RATES_HZ = range(1_000, 768_001)
HINT_FORMATS = "Give a recording such as wav, mp3, m4a, flac, ogg or a video with sound."


def decode_mono(
    stream: BinaryIO, name: str, raw_format: str | None = None
) -> Iterator[tuple[FloatArray, int]]:
    """Yields (samples float32 [n], rate in Hz), the mean of the channels, in order.

    A broken packet is skipped, as players do. Raises BadInputError when `stream` is no recording,
    holds no sound, or is mostly damaged. `name` is what messages call it.
    """
    import av

    try:
        with av.open(
            stream,
            format=raw_format,
            metadata_errors="replace",
            options={"format_whitelist": _CONTAINERS},
        ) as container:
            if not container.streams.audio:
                raise BadInputError(f"{name} holds no sound.", HINT_FORMATS)
            yield from _frames(container, name)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        logger.info("%s could not be decoded: %s", name, error)
        raise BadInputError(
            f"{name} is not a recording that can be read: it is damaged or of another kind.",
            HINT_FORMATS,
        ) from error


def _frames(container: Any, name: str) -> Iterator[tuple[FloatArray, int]]:
    import av

    packets = broken = 0
    for packet in container.demux(container.streams.audio[0]):
        packets += 1
        try:
            frames = packet.decode()
        except (av.error.InvalidDataError, av.error.EOFError):
            broken += 1
            continue
        for frame in frames:
            if frame.sample_rate not in _PLAUSIBLE_RATES_HZ:
                raise ValueError(f"sample rate {frame.sample_rate}")
            yield _mono(frame), frame.sample_rate
    if broken:
        logger.warning("%s: %d of %d packets are damaged and were left out", name, broken, packets)
    if 2 * broken > packets:
        raise BadInputError(f"{name} is damaged: most of it cannot be decoded.", HINT_FORMATS)


def _mono(frame: Any) -> FloatArray:
    """The mean over the channels of a PyAV frame, integers scaled to -1..1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype == np.uint8:
        scaled = (samples.astype(np.float32) - 128.0) / 128.0
    elif np.issubdtype(samples.dtype, np.integer):
        scaled = samples.astype(np.float64) / -float(np.iinfo(samples.dtype).min)
    else:
        scaled = samples
    return np.asarray(scaled.mean(axis=0), dtype=np.float32)


__all__ = [
    "FORMATS",
    "audio_sha256",
    "encode_speech",
    "pcm_sha256",
    "read_speech",
    "write_speech",
]


def read_speech(
    source: Path | str | bytes,
    sample_rate_hz: int | None = None,
    max_duration_s: float | None = None,
) -> Speech:
    """The sound of a file (or of a file's bytes) as mono, at its own rate or at the one given.

    Sound and video containers alike; decoding stops as soon as `max_duration_s` is passed, so a
    file of any length costs no more memory than that. Raises BadInputError, with what to do, for
    a file that is missing, empty, no recording, damaged, silent in the sense of having no
    samples, too long, or holding NaN or infinity.
    """
    if isinstance(source, bytes):
        return _collect(io.BytesIO(source), "The recording", None, sample_rate_hz, max_duration_s)
    path = Path(source)
    _check_is_file(path)
    raw_format = RAW_FORMATS.get(path.suffix.lower())
    try:
        with path.open("rb") as stream:
            return _collect(stream, path.name, raw_format, sample_rate_hz, max_duration_s)
    except OSError as error:
        raise BadInputError(
            f"{path.name} cannot be opened: {error.strerror or error}.",
            "Check that you may read the file.",
        ) from error


def write_speech(path: Path, speech: Speech, fmt: str | None = None) -> None:
    """Writes wav, flac or mp3 (by `fmt` or the suffix), whole or not at all.

    Raises BadInputError for another format and DiskFullError when there is no room.
    """
    content = encode_speech(speech, fmt or path.suffix.lower().removeprefix("."))
    atomic.write_bytes(path, content)


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise BadInputError(f"{path.name} is a folder, not a recording.", "Choose a file in it.")
    if not path.exists():
        raise BadInputError(f"There is no file {path}.", "Check the name and the folder.")
    if not path.is_file():
        raise BadInputError(f"{path.name} is not a file.", HINT_FORMATS)
    if path.stat().st_size == 0:
        raise BadInputError(f"{path.name} is empty (0 bytes).", "Record or copy it again.")


def _collect(
    stream: BinaryIO,
    name: str,
    raw_format: str | None,
    sample_rate_hz: int | None,
    max_duration_s: float | None,
) -> Speech:
    resampler = StreamResampler(sample_rate_hz)
    pieces: list[FloatArray] = []
    duration_s = 0.0
    for samples, rate_hz in decode_mono(stream, name, raw_format):
        if not np.isfinite(samples).all():
            raise BadInputError(
                f"{name} holds values that are not numbers (NaN or infinity).",
                "Export it again from the program that made it, as 16-bit wav for instance.",
            )
        duration_s += len(samples) / rate_hz
        if max_duration_s is not None and duration_s > max_duration_s:
            raise BadInputError(
                f"{name} is longer than {_spoken_duration(max_duration_s)}.",
                "Cut out a shorter part, or raise the limit in the settings.",
            )
        pieces.append(resampler.feed(samples, rate_hz))
    pieces.append(resampler.finish())
    joined = np.concatenate(pieces)
    if not len(joined):
        raise BadInputError(f"{name} holds no sound: its length is zero.", HINT_FORMATS)
    return Speech(joined, resampler.to_hz)


def _spoken_duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:g} seconds"
    return f"{seconds / 60:g} minutes"
