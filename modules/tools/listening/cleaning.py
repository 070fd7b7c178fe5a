"""Cleaning a recording: noise, an offset from zero, loudness. The original is never changed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from modules.core_components import atomic
from modules.core_components.audio.denoise import METHOD, gain_for_filter_db, without_noise
from modules.core_components.audio.encode import RunningSha256
from modules.core_components.audio.files import FORMATS, PiecewiseRecording, write_pieces
from modules.core_components.audio.measure import AUDIBLE_CLIPPING, headroom_of_db
from modules.core_components.audio.running_measures import Figures, RunningMeasures, measure
from modules.core_components.errors import BadInputError
from modules.core_components.library.names import numbered
from modules.core_components.progress import CancelToken, Progress, no_progress, phase
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech

# An offset below this is not worth a change; many converters leave as much.
_OFFSET = 0.001
_LOUDNESS_RANGE_LUFS = (-40.0, -10.0)
_PIECE_S = 5
_MOST_WAV_BYTES = 2**32 - 2**16
# Where noise is gone altogether, how far it is below what it was says nothing.
_MOST_TOLD_DB = 40.0


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

    A file of that name is kept; the copy gets a number. The recording is read and written a piece
    at a time: hours of it take no more memory than minutes. Raises BadInputError, DiskFullError and
    JobCancelled.
    """
    _check(request)
    token = cancel or CancelToken()
    progress(0.0, _("Reading {name}", name=request.source.name))
    recording = PiecewiseRecording(request.source, token)
    _check_length(recording, request)
    cleaning = _Cleaning(recording, request, token)
    written = _free_path(request)
    cleaning.write(written, phase(progress, 0.05, 0.95))
    notes = [*recording.notes, *cleaning.notes]
    if (clipped := cleaning.before.clipping_fraction) > AUDIBLE_CLIPPING:
        notes.append(
            _(
                "{clipped:.1%} of it is clipped, which cannot be undone: record it at a "
                "lower level.",
                clipped=clipped,
            )
        )
    cleaned = CleanedRecording(
        request.source,
        cleaning.sha256,
        written,
        tuple(cleaning.steps),
        cleaning.before,
        cleaning.after,
        tuple(notes),
    )
    atomic.write_json(written.with_suffix(".json"), _record(cleaned))
    progress(1.0, _("Done"))
    return cleaned


class _Cleaning:
    """One recording on its way: measured as it is, then cleaned and measured, then written.

    Where the loudness is to be set, the cleaned samples wait in a file of their own until it is
    known.
    """

    def __init__(
        self, recording: PiecewiseRecording, request: CleaningRequest, cancel: CancelToken
    ) -> None:
        self._recording, self._request, self._cancel = recording, request, cancel
        self._rate_hz = recording.sample_rate_hz
        measures, digest = RunningMeasures(self._rate_hz), RunningSha256(self._rate_hz)
        for piece in recording.pieces():
            measures.feed(piece)
            digest.feed(piece)
        self.before = self.after = measures.figures()
        self.sha256 = digest.hexdigest()
        self.steps: list[str] = []
        self.notes: list[str] = []

    def write(self, target: Path, progress: Progress) -> None:
        """Fills in `after`, `steps` and `notes`."""
        pieces = self._cleaned(progress)
        wanted = self._request.target_lufs
        if wanted is None:
            self._write(target, pieces)
            return
        with (
            atomic.full_disk_reported(target),
            tempfile.TemporaryFile(dir=target.parent, prefix=".cleaning-") as waiting,
        ):
            measures = RunningMeasures(self._rate_hz)
            for piece in pieces:
                measures.feed(piece)
                waiting.write(piece.astype(np.float32).tobytes())
            gain_db, note = gain_to(wanted, measures.figures())
            self.notes += [note] if note else []
            self.steps += [level_step(gain_db)] if gain_db is not None else []
            waiting.seek(0)
            self._write(target, _amplified(waiting, gain_db or 0.0, self._rate_hz))

    def _write(self, target: Path, pieces: Iterator[FloatArray]) -> None:
        measures = RunningMeasures(self._rate_hz)

        def measured() -> Iterator[FloatArray]:
            for piece in pieces:
                self._cancel.raise_if_cancelled()
                measures.feed(piece)
                yield piece

        write_pieces(target, measured(), self._rate_hz, self._request.fmt)
        self.after = measures.figures()

    def _cleaned(self, progress: Progress) -> Iterator[FloatArray]:
        pieces = self._reported(progress)
        offset = np.float32(self.before.offset)
        if abs(offset) >= _OFFSET:
            self.steps.append(_("removed an offset of {offset:.3f}", offset=offset))
            pieces = _moved(pieces, offset)
        if self._request.denoise:
            self.steps.append(_("removed noise ({method})", method=METHOD))
            gain_db = gain_for_filter_db(self.before.loudness_lufs)
            pieces = without_noise(pieces, self._rate_hz, gain_db)
        return pieces

    def _reported(self, progress: Progress) -> Iterator[FloatArray]:
        """The recording, a second at a time, so that it stops soon after a cancel."""
        done = 0
        for piece in self._recording.pieces():
            for start in range(0, len(piece), self._rate_hz):
                self._cancel.raise_if_cancelled()
                progress(done / self._recording.length, _("Cleaning"))
                part = piece[start : start + self._rate_hz]
                done += len(part)
                yield part


def _moved(pieces: Iterator[FloatArray], offset: np.float32) -> Iterator[FloatArray]:
    for piece in pieces:
        yield piece - offset


def _amplified(file: IO[bytes], gain_db: float, rate_hz: int) -> Iterator[FloatArray]:
    factor = np.float32(10 ** (gain_db / 20))
    while content := file.read(_PIECE_S * rate_hz * np.dtype(np.float32).itemsize):
        yield np.frombuffer(content, np.float32) * factor


def changes(before: Figures, after: Figures) -> str:
    """What cleaning changed, such as "noise 23 dB lower, loudness -24.5 to -22.0 dB"."""
    parts = []
    if before.noise_dbfs is not None and after.noise_dbfs is not None:
        lower_db = before.noise_dbfs - after.noise_dbfs
        if lower_db >= _MOST_TOLD_DB:
            parts.append(_("noise more than {decibels:g} dB lower", decibels=_MOST_TOLD_DB))
        elif lower_db >= 1:
            parts.append(_("noise {lower_db:.0f} dB lower", lower_db=lower_db))
    if before.loudness_lufs is not None and after.loudness_lufs is not None:
        parts.append(
            _(
                "loudness {before:.1f} to {after:.1f} dB",
                before=before.loudness_lufs,
                after=after.loudness_lufs,
            ).replace("-", "\N{MINUS SIGN}")
        )
    return ", ".join(parts)


def with_loudness(speech: Speech, target_lufs: float) -> tuple[Speech, str, str]:
    """The speech at that loudness, or as near as its peaks allow; what was done, and a note."""
    gain_db, note = gain_to(target_lufs, measure(speech))
    if gain_db is None:
        return speech, "", note
    changed = replace(speech, samples=speech.samples * np.float32(10 ** (gain_db / 20)))
    return changed, level_step(gain_db), note


def gain_to(target_lufs: float, figures: Figures) -> tuple[float | None, str]:
    """The gain to that loudness, or as near as the peaks allow, and a note; None where it cannot be
    measured."""
    loudness = figures.loudness_lufs
    if loudness is None:
        return None, _("Its loudness cannot be measured: it is silent or shorter than 0.4 s.")
    gain_db, most_db = target_lufs - loudness, headroom_of_db(figures.peak)
    if gain_db <= most_db:
        return gain_db, ""
    loudest = loudness + most_db
    return most_db, _(
        "Its peaks allow a loudness of {loudest:.1f} at most, not {target_lufs:g}.",
        loudest=loudest,
        target_lufs=target_lufs,
    )


def level_step(gain_db: float) -> str:
    """How a change of the level is named among the steps."""
    return _("changed the level by {gain_db:+.1f} dB", gain_db=gain_db)


def _check(request: CleaningRequest) -> None:
    """Before a long file is read. Raises BadInputError."""
    lowest, highest = _LOUDNESS_RANGE_LUFS
    target = request.target_lufs
    if target is not None and not lowest <= target <= highest:
        raise BadInputError(
            _("A loudness of {target:g} is out of range.", target=target),
            _(
                "Give {lowest:g} to {highest:g}; -20 is usual for speech.",
                lowest=lowest,
                highest=highest,
            ),
            "loudness",
        )
    if request.fmt not in FORMATS:
        raise BadInputError(
            _("Unknown format {fmt!r}.", fmt=request.fmt),
            _("Choose {formats}.", formats=", ".join(FORMATS)),
        )
    if not request.denoise and target is None:
        raise BadInputError(_("There is nothing to do."), _("Remove noise, or give a loudness."))


def _check_length(recording: PiecewiseRecording, request: CleaningRequest) -> None:
    """A wav file names its length in 32 bits."""
    if request.fmt == "wav" and 2 * recording.length > _MOST_WAV_BYTES:
        hours = recording.length / recording.sample_rate_hz / 3600
        raise BadInputError(
            _("A wav file cannot hold the {hours:.0f} hours of this recording.", hours=hours),
            _("Choose flac."),
        )


def _free_path(request: CleaningRequest) -> Path:
    """Where nothing is yet, neither a recording nor a report."""
    taken = (path.stem for path in request.folder.iterdir())
    stem = numbered(f"{request.source.stem}-clean", taken, "{name}-{number}")
    return request.folder / f"{stem}.{request.fmt}"


def _record(cleaned: CleanedRecording) -> dict[str, object]:
    paths = {"source": cleaned.source.name, "written": cleaned.written.name}
    return {**asdict(cleaned), **paths}
