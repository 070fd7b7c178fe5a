"""Speech for tests without any weights: espeak-ng's own formant voice.

Nobody would call it beautiful, but voice activity detection hears speech in it.
"""

from __future__ import annotations

import ctypes
import functools

import espeakng_loader
import numpy as np

from modules.core_components.values import Speech

_SYNCHRONOUS = 2
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@functools.cache
def _library() -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(
        _SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0
    )
    assert rate_hz > 0
    return library, rate_hz


@functools.cache
def espeak(text: str, voice: str = "en") -> Speech:
    """The text read aloud, float32 at espeak-ng's 22,050 Hz."""
    library, rate_hz = _library()
    pieces: list[np.ndarray] = []

    def take(samples, count: int, events) -> int:
        if samples and count:
            pieces.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    callback = _CALLBACK(take)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(voice.encode())
    content = text.encode()
    library.espeak_Synth(content, len(content) + 1, 0, 0, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    return Speech(np.concatenate(pieces).astype(np.float32) / 32768, rate_hz)
