"""The mel filter bank is the one that the encoders were trained with."""

import numpy as np
import pytest
from torchaudio.functional import melscale_fbanks

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
def test_filters_are_torchaudios(
    rate_hz: int, window: int, bands: int, highest_hz: float | None
) -> None:
    ours = mel_filters(rate_hz, window, bands, highest_hz)
    theirs = melscale_fbanks(
        window // 2 + 1, 0.0, highest_hz or rate_hz / 2, bands, rate_hz,
        norm="slaney", mel_scale="slaney",
    )  # fmt: skip
    np.testing.assert_allclose(ours, theirs.T, atol=1e-6)
