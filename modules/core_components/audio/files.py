"""Reading any recording, writing speech."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.decode import HINT_FORMATS, RAW_FORMATS, decode_mono
from modules.core_components.audio.encode import (
    FORMATS,
    audio_sha256,
    encode_speech,
    pcm_sha256,
)
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Speech

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
