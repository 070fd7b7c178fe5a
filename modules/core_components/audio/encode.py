"""Turning speech into the bytes of a sound file, and into fingerprints."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.audio.resample import resample
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Speech

FORMATS = ("wav", "flac", "mp3")

_MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_LIBSNDFILE: Mapping[str, Mapping[str, Any]] = {
    "wav": {"format": "WAV", "subtype": "PCM_16"},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
    # Constant rate at libsndfile's middle compression: 80 kbit/s at 24 kHz.
    "mp3": {
        "format": "MP3",
        "subtype": "MPEG_LAYER_III",
        "bitrate_mode": "CONSTANT",
        "compression_level": 0.5,
    },
}


def to_pcm16(samples: FloatArray) -> NDArray[np.int16]:
    """float32 [n] as 16-bit integers; beyond -1..1 they are clipped and never wrap around.

    The scale is 32768, the one decoders divide by: what was read from a 16-bit file is written
    back unchanged. Raises BadInputError for NaN and infinity.
    """
    if not np.isfinite(samples).all():
        raise BadInputError(
            "The audio holds values that are not numbers.", "Generate it again, or use other audio."
        )
    scaled = np.rint(samples.astype(np.float64) * 32768.0)
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def encode_speech(speech: Speech, fmt: str) -> bytes:
    """A whole file of the format (wav and flac: 16-bit PCM, without loss beyond that; mp3).

    mp3 knows nine sample rates; speech at another one is resampled to the next higher.
    Raises BadInputError for an unknown format and for values that are not numbers.
    """
    if fmt not in _LIBSNDFILE:
        raise BadInputError(f"Cannot write {fmt!r} files.", f"Choose {', '.join(FORMATS)}.")
    import soundfile

    samples, rate_hz = speech.samples, speech.sample_rate_hz
    if fmt == "mp3" and rate_hz not in _MP3_RATES_HZ:
        wanted_hz = next((rate for rate in _MP3_RATES_HZ if rate > rate_hz), _MP3_RATES_HZ[-1])
        samples, rate_hz = resample(samples, rate_hz, wanted_hz), wanted_hz
    buffer = io.BytesIO()
    soundfile.write(buffer, to_pcm16(samples), rate_hz, **_LIBSNDFILE[fmt])
    return buffer.getvalue()


def audio_sha256(speech: Speech) -> str:
    """Hash of the float32 samples and their rate: the same sound, whatever file it came from."""
    return _fingerprint("float32", speech.sample_rate_hz, speech.samples.astype("<f4").tobytes())


def pcm_sha256(speech: Speech) -> str:
    """Hash of the 16-bit samples and their rate: what a wav or flac file keeps of the speech."""
    samples = to_pcm16(speech.samples).astype("<i2").tobytes()
    return _fingerprint("int16", speech.sample_rate_hz, samples)


def _fingerprint(kind: str, sample_rate_hz: int, samples: bytes) -> str:
    digest = hashlib.sha256(f"{kind} {sample_rate_hz} Hz\n".encode())
    digest.update(samples)
    return digest.hexdigest()
