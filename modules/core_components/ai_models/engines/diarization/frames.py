"""The windows and frames in which the speakers of a recording are told apart."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE_HZ = 16_000
WINDOW = 10 * SAMPLE_RATE_HZ
FRAMES = 589  # of a window
STEP = 270  # samples from a frame to the next: 16.875 ms
FRAME_S = STEP / SAMPLE_RATE_HZ
# A frame depends on 991 samples and stands for their middle.
FIRST_FRAME_S = 991 / 2 / SAMPLE_RATE_HZ
# From a window to the next: half a window, in whole frames, so that the frames of two coincide.
HOP_FRAMES = 296
HOP = HOP_FRAMES * STEP
# The classes of the network, as the speakers who talk.
POWERSET = np.array(
    [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], np.bool_
)
# Voices of a window that are given to speakers one by one.
LOCAL_VOICES = 6
ENCODER = "campplus"
EMBEDDING_SIZE = 192
