"""The mel filter bank is the one that the encoders were trained with."""

import librosa
import numpy as np
import pytest

from modules.core_components.audio.mel import mel_filters


@pytest.mark.parametrize(
    ("rate_hz", "window", "bands", "highest_hz"),
    [
        (16_000, 400, 40, None),
        (16_000, 400, 80, None),
        (16_000, 512, 48, 7600),
        (8000, 256, 8, 900),
    ],
)
def test_filters_are_librosas(
    rate_hz: int, window: int, bands: int, highest_hz: float | None
) -> None:
    ours = mel_filters(rate_hz, window, bands, highest_hz)
    theirs = librosa.filters.mel(sr=rate_hz, n_fft=window, n_mels=bands, fmax=highest_hz)
    np.testing.assert_allclose(ours, theirs, atol=1e-7)
