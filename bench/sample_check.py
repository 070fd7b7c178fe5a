"""What the check of a sample finds in recordings that were made worse on purpose.

    python -m bench.sample_check --models base_models --speakers SPEAKERS [--clips CLIP ...]

SPEAKERS is a folder with a folder of recordings for each speaker, without noise or echo. Up to 14 s
of each are checked as they are, in noise, in a made room (noise that decays exponentially, as loud
as the voice), low-passed, clipped, turned down, and joined with the next speaker. CLIPs are checked
as they are. Prints in how many the fault was found, and what else was said.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.denoise import babble
from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import resample
from modules.core_components.values import FloatArray, Speech
from modules.tools.services import Services, open_services
from modules.tools.voices.sample_check import sample_findings
from tests.helpers.noise import in_room, pink, white, with_noise

RATE_HZ = 16_000
LENGTH_S = 14.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--speakers", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", type=Path, default=[])
    asked = parser.parse_args()
    speakers = {folder.name: _recording(folder) for folder in sorted(asked.speakers.iterdir())}
    with tempfile.TemporaryDirectory() as root:
        services = open_services(Path(root), {"models_folder": str(asked.models.absolute())})
        print("| recording | wanted | found in | said besides |\n|---|---|---|---|", flush=True)
        for name, wanted, made in _cases(speakers):
            _print_row(services, name, wanted, made)
        for wanted, clips in (("", asked.clips),):
            made = {path.stem: read_speech(path) for path in clips}
            _print_row(services, "clips as they are", wanted, made)
        services.close()


def _recording(folder: Path) -> Speech:
    samples = [read_speech(path, RATE_HZ).samples for path in sorted(folder.iterdir())]
    return Speech(np.concatenate(samples)[: round(LENGTH_S * RATE_HZ)], RATE_HZ)


def _cases(speakers: Mapping[str, Speech]) -> Iterator[tuple[str, str, dict[str, Speech]]]:
    """The name of a row, the kind of finding that is wanted, and the recordings by speaker."""
    yield "as they are", "", dict(speakers)
    names = list(speakers)
    for level_db in (15.0, 10.0, 5.0):
        for kind, noise in (("white", white), ("pink", pink), ("babble", None)):
            made = {}
            for name, speech in speakers.items():
                others = [speakers[other] for other in names if other != name]
                size = len(speech.samples)
                added = babble(size, others) if noise is None else noise(size)
                made[name] = _within(with_noise(speech, added, level_db).samples)
            yield f"{kind} noise, {level_db:g} dB", "noise", made
    for decay_s in (0.5, 0.8, 1.2):
        rooms = {name: in_room(speech, decay_s) for name, speech in speakers.items()}
        yield f"room, {decay_s:g} s", "reverberation", rooms
    for highest_hz in (3_400, 5_500):
        made = {name: _low_passed(speech, highest_hz) for name, speech in speakers.items()}
        yield f"nothing above {highest_hz / 1000:g} kHz", "bandwidth", made
    yield (
        "overdriven by 12 dB",
        "clipping",
        {
            name: Speech(
                np.clip(speech.samples * (4 / np.abs(speech.samples).max()), -1, 1), RATE_HZ
            )
            for name, speech in speakers.items()
        },
    )
    yield (
        "turned down by 30 dB",
        "level",
        {
            name: Speech(speech.samples * np.float32(10 ** (-30 / 20)), RATE_HZ)
            for name, speech in speakers.items()
        },
    )
    for share in (0.75, 0.5):
        made = {}
        for name, other in zip(names, [*names[1:], names[0]], strict=True):
            cut = round(share * len(speakers[name].samples))
            rest = len(speakers[name].samples) - cut
            both = [speakers[name].samples[:cut], speakers[other].samples[:rest]]
            made[f"{name} and {other}"] = Speech(np.concatenate(both), RATE_HZ)
        yield f"two voices, {share:.0%} and {1 - share:.0%}", "speakers", made


def _low_passed(speech: Speech, highest_hz: int) -> Speech:
    narrow = resample(speech.samples, RATE_HZ, 2 * highest_hz)
    return Speech(resample(narrow, 2 * highest_hz, RATE_HZ), RATE_HZ)


def _within(samples: FloatArray) -> Speech:
    return Speech(samples / max(1.0, float(np.abs(samples).max())), RATE_HZ)


def _print_row(services: Services, row: str, wanted: str, made: Mapping[str, Speech]) -> None:
    found, besides = 0, Counter()
    for name, speech in made.items():
        sample = services.samples.add(encode_speech(speech, "wav"), name)
        kinds = {finding.kind for finding in sample_findings(services, sample)}
        found += wanted in kinds
        besides.update(f"{kind} ({name})" for kind in kinds - {wanted, "short"})
        services.samples.delete(sample.name)
    said = ", ".join(what for what, _ in besides.most_common())
    print(f"| {row} | {wanted} | {found} of {len(made)} | {said} |", flush=True)


if __name__ == "__main__":
    main()
