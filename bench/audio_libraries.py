"""What librosa and torchaudio cost and say, next to the studio's own functions.

    python bench/audio_libraries.py

Prints Markdown: the seconds that the first use takes in a process of its own (import included),
those of a later use, and the largest difference of the numbers. 30 s of noise that fades in and
out, 22,050 Hz.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

RATE_HZ = 22_050
FRAME = RATE_HZ // 50
REPEATS = 5


def sound() -> np.ndarray:
    """float32 [30 s]."""
    noise = np.random.default_rng(1).normal(0, 0.1, 30 * RATE_HZ)
    return (noise * np.sin(np.linspace(0, np.pi, len(noise)))).astype(np.float32)


def own_mel() -> np.ndarray:
    from modules.core_components.audio.mel import mel_filters

    return mel_filters(RATE_HZ, 1024, 80)


def librosa_mel() -> np.ndarray:
    import librosa

    return librosa.filters.mel(sr=RATE_HZ, n_fft=1024, n_mels=80)


def own_levels() -> np.ndarray:
    from modules.core_components.audio.measure import _frame_levels_dbfs
    from modules.core_components.values import Speech

    return np.asarray(10 ** (_frame_levels_dbfs(Speech(sound(), RATE_HZ)) / 20))


def librosa_levels() -> np.ndarray:
    import librosa

    return librosa.feature.rms(y=sound(), frame_length=FRAME, hop_length=FRAME, center=False)[0]


def own_resampling() -> np.ndarray:
    from modules.core_components.audio.resample import resample

    return resample(sound(), RATE_HZ, 16_000)


def librosa_resampling() -> np.ndarray:
    import librosa

    return librosa.resample(sound(), orig_sr=RATE_HZ, target_sr=16_000)


def torchaudio_resampling() -> np.ndarray:
    import torch
    import torchaudio

    given = torch.from_numpy(sound())
    return torchaudio.functional.resample(given, RATE_HZ, 16_000, lowpass_filter_width=64).numpy()


COMPARED: tuple[tuple[str, Callable[[], np.ndarray], Callable[[], np.ndarray]], ...] = (
    ("mel filters, librosa", own_mel, librosa_mel),
    ("levels of frames, librosa", own_levels, librosa_levels),
    ("22,050 to 16,000 Hz, librosa", own_resampling, librosa_resampling),
    ("22,050 to 16,000 Hz, torchaudio", own_resampling, torchaudio_resampling),
)


def first_use_s(function: Callable[[], np.ndarray]) -> float:
    """In a new process, after numpy."""
    script = (
        "import time, numpy; from bench import audio_libraries as a; began = time.perf_counter(); "
        f"a.{function.__name__}(); print(time.perf_counter() - began)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


def later_use_s(function: Callable[[], np.ndarray]) -> float:
    function()
    began_s = time.perf_counter()
    for _ in range(REPEATS):
        function()
    return (time.perf_counter() - began_s) / REPEATS


def main() -> None:
    print("| | first use: ours, theirs (s) | later: ours, theirs (ms) | largest difference |")
    print("|---|---|---|---|")
    for name, own, other in COMPARED:
        ours, theirs = own(), other()
        least = min(len(ours), len(theirs))
        difference = float(np.abs(ours[:least] - theirs[:least]).max())
        first = f"{first_use_s(own):.2f}, {first_use_s(other):.2f}"
        later = f"{1000 * later_use_s(own):.1f}, {1000 * later_use_s(other):.1f}"
        print(f"| {name} | {first} | {later} | {difference:.1e} |", flush=True)


if __name__ == "__main__":
    main()
