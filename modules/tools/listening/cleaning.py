"""Cleaning a recording: noise, an offset from zero, loudness. The original is never changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.denoise import METHOD, remove_noise
from modules.core_components.audio.files import (
    FORMATS,
    audio_sha256,
    read_speech,
    write_speech,
)
from modules.core_components.audio.measure import (
    AUDIBLE_CLIPPING,
    clipping_fraction,
    headroom_db,
    loudness_lufs,
    peak,
    signal_to_noise_db,
)
from modules.core_components.errors import BadInputError
from modules.core_components.library.names import numbered
from modules.core_components.progress import CancelToken, Progress, no_progress, phase
from modules.core_components.values import Speech

# An offset below this is not worth a change; many converters leave as much.
_OFFSET = 0.001
_LOUDNESS_RANGE_LUFS = (-40.0, -10.0)


@dataclass(frozen=True)
class CleaningRequest:
    """A recording and what to do with it; the result goes to `folder` as `fmt`.

    `target_lufs`: the loudness to bring it to, by ITU-R BS.1770; None leaves it as it is.
    """

    source: Path
    folder: Path
    denoise: bool = True
    target_lufs: float | None = None
    fmt: str = "wav"


@dataclass(frozen=True)
class Figures:
    """What can be measured of a recording. Levels are None where nothing sounds."""

    loudness_lufs: float | None
    signal_to_noise_db: float | None
    peak: float
    clipping_fraction: float
    offset: float


@dataclass(frozen=True)
class CleanedRecording:
    """The result: `steps` are what was done, in order; `notes` what could not be."""

    source: Path
    source_sha256: str
    written: Path
    steps: tuple[str, ...]
    before: Figures
    after: Figures
    notes: tuple[str, ...] = ()


def clean_recording(
    request: CleaningRequest, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> CleanedRecording:
    """Writes a cleaned copy, `NAME-clean.FORMAT`, and what was done to it, as JSON, next to it.

    A file of that name is kept; the copy gets a number. Raises BadInputError and JobCancelled.
    """
    _check(request)
    progress(0.0, f"Reading {request.source.name}")
    original = read_speech(request.source, cancel=cancel)
    speech, notes = original, list(original.notes)
    steps: list[str] = []
    offset = _offset(speech)
    if abs(offset) >= _OFFSET:
        speech = replace(speech, samples=(speech.samples - np.float32(offset)))
        steps.append(f"removed an offset of {offset:.3f}")
    if request.denoise:
        speech = remove_noise(speech, phase(progress, 0.05, 0.95), cancel)
        steps.append(f"removed noise ({METHOD})")
    if request.target_lufs is not None:
        speech, step, note = _with_loudness(speech, request.target_lufs)
        steps += [step] if step else []
        notes += [note] if note else []
    if (clipped := clipping_fraction(original)) > AUDIBLE_CLIPPING:
        notes.append(
            f"{clipped:.1%} of it is clipped, which cannot be undone: record it at a lower level."
        )
    written = _free_path(request)
    cleaned = CleanedRecording(
        request.source,
        audio_sha256(original),
        written,
        tuple(steps),
        measure(original),
        measure(speech),
        tuple(notes),
    )
    progress(0.97, f"Writing {written.name}")
    write_speech(written, speech, request.fmt)
    atomic.write_json(written.with_suffix(".json"), _record(cleaned))
    progress(1.0, "Done")
    return cleaned


def measure(speech: Speech) -> Figures:
    """The figures that cleaning changes."""
    return Figures(
        loudness_lufs(speech),
        signal_to_noise_db(speech),
        peak(speech),
        clipping_fraction(speech),
        _offset(speech),
    )


def _check(request: CleaningRequest) -> None:
    """Before a long file is read. Raises BadInputError."""
    lowest, highest = _LOUDNESS_RANGE_LUFS
    target = request.target_lufs
    if target is not None and not lowest <= target <= highest:
        raise BadInputError(
            f"A loudness of {target:g} LUFS is out of range.",
            f"Give {lowest:g} to {highest:g}; -20 is usual for speech.",
            "loudness",
        )
    if request.fmt not in FORMATS:
        raise BadInputError(f"Unknown format {request.fmt!r}.", f"Choose {', '.join(FORMATS)}.")
    if not request.denoise and target is None:
        raise BadInputError("There is nothing to do.", "Remove noise, or give a loudness.")


def _with_loudness(speech: Speech, target_lufs: float) -> tuple[Speech, str, str]:
    """The speech at that loudness, or as near as its peaks allow; what was done, and a note."""
    loudness = loudness_lufs(speech)
    if loudness is None:
        return speech, "", "Its loudness cannot be measured: it is silent or shorter than 0.4 s."
    gain_db = target_lufs - loudness
    most_db = headroom_db(speech)
    note = ""
    if gain_db > most_db:
        gain_db = most_db
        note = f"Its peaks allow {loudness + gain_db:.1f} LUFS at most, not {target_lufs:g}."
    changed = replace(speech, samples=speech.samples * np.float32(10 ** (gain_db / 20)))
    return changed, f"changed the level by {gain_db:+.1f} dB", note


def _offset(speech: Speech) -> float:
    """The mean of the samples; that of a good recording is 0."""
    return float(speech.samples.mean(dtype=np.float64)) if len(speech.samples) else 0.0


def _free_path(request: CleaningRequest) -> Path:
    """Where nothing is yet, neither a recording nor a report."""
    taken = (path.stem for path in request.folder.iterdir())
    stem = numbered(f"{request.source.stem}-clean", taken, "{name}-{number}")
    return request.folder / f"{stem}.{request.fmt}"


def _record(cleaned: CleanedRecording) -> dict[str, object]:
    paths = {"source": cleaned.source.name, "written": cleaned.written.name}
    return {**asdict(cleaned), **paths}
