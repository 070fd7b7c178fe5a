"""The memory that `app.py clean` takes for a recording of hours: does it grow with the length?

    python -m bench.clean_memory RECORDING --minutes 10 60 180 [--no-noise]

RECORDING is repeated to each length, in white noise 20 dB below it, as a 16 kHz flac file, and
cleaned by the command, with its loudness set to -20 LUFS. Prints the highest resident memory of the
process, looked at ten times a second, at a third of its time and at its end, and the seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.audio.files import read_speech, write_pieces
from modules.core_components.values import FloatArray
from tests.helpers.noise import white, with_noise

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ = 16_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--minutes", nargs="+", type=float, default=[10.0, 60.0, 180.0])
    parser.add_argument("--no-noise", action="store_true", help="set the loudness only")
    asked = parser.parse_args()
    speech = read_speech(asked.recording, RATE_HZ)
    noisy = with_noise(speech, white(len(speech.samples)), 20.0).samples
    options = ["--loudness", "-20", "--format", "flac", *(["--no-noise"] * asked.no_noise)]
    print("| minutes | highest memory (MB) | after a third | seconds | processor seconds |")
    print("|---|---|---|---|---|", flush=True)
    for minutes in asked.minutes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "long.flac"
            write_pieces(path, _repeated(noisy, minutes), RATE_HZ, "flac")
            command = [sys.executable, str(ROOT / "app.py"), "clean", str(path), *options]
            print(f"| {minutes:g} | {_run(command)} |", flush=True)


def _repeated(samples: FloatArray, minutes: float) -> Iterator[FloatArray]:
    left = round(minutes * 60 * RATE_HZ)
    while left > 0:
        yield np.asarray(samples[:left])
        left -= len(samples)


def _run(command: list[str]) -> str:
    """Cells of the table."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    seen: list[float] = []
    used_s = 0.0
    while process.poll() is None:
        try:
            seen.append(watched.memory_info().rss / 1e6)
            times = watched.cpu_times()
            used_s = times.user + times.system
        except psutil.Error:
            break
        time.sleep(0.1)
    assert process.wait() == 0, command
    third = max(seen[: len(seen) // 3])
    return f"{max(seen):.0f} | {third:.0f} | {time.monotonic() - began:.0f} | {used_s:.0f}"


if __name__ == "__main__":
    main()
