"""Turning whatever FFmpeg's libraries can read into mono float32, a frame at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray

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
