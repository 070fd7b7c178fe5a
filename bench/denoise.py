"""What removing noise does to speech: naturalness, words and likeness, with noise and without.

    python -m bench.denoise RECORDING [RECORDING ...] [--seconds 12]

Recordings of people, clean. Each is mixed with white noise, pink noise and babble (the other
recordings, added up), at 0, 5, 10 and 20 dB, and judged before and after: DNSMOS P.835 overall
(speechmos), word error rate of Whisper base against its own transcript of the clean recording, and
the cosine of GE2E embeddings with the clean recording. Prints a markdown table, and the processor
time for each second of audio.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_judges import naturalness
from modules.core_components.ai_models.engines.ge2e_network import (
    load_speaker_encoder,
    similarity,
)
from modules.core_components.audio.denoise import remove_noise
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import resample
from modules.core_components.settings import app_folder
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import FloatArray, Speech
from tests.helpers.noise import pink, white, with_noise

RATE_HZ = 48_000
LEVELS_DB = (0.0, 5.0, 10.0, 20.0)
Noise = Callable[[int, Sequence[Speech]], FloatArray]
Score = tuple[float, float, float]


def babble(length: int, others: Sequence[Speech]) -> FloatArray:
    """The other recordings and shifts of them, eight voices at once."""
    total = np.zeros(length, np.float32)
    for number in range(8):
        samples = np.resize(others[number % len(others)].samples, length)
        total += np.roll(samples, number * 31_337)
    return total


class Judges:
    """DNSMOS, the word errors of Whisper base, GE2E likeness."""

    def __init__(self, models: Path) -> None:
        from faster_whisper import WhisperModel

        self._whisper = WhisperModel(str(models / "whisper" / "base"), compute_type="int8")
        self._encoder = load_speaker_encoder(models / "ge2e/pretrained.pt")

    def score(self, speech: Speech, clean: Speech, words: str) -> Score:
        natural = naturalness([resample(speech.samples, RATE_HZ, 16_000)])
        pairs = (self._encoder.embed(one.samples, RATE_HZ) for one in (speech, clean))
        return natural, word_error_rate(words, self.words(speech)), similarity(*pairs)

    def words(self, speech: Speech) -> str:
        sound = resample(speech.samples, RATE_HZ, 16_000)
        segments, _ = self._whisper.transcribe(sound, language="en", beam_size=5)
        return " ".join(segment.text for segment in segments)


def mixtures(
    recordings: Sequence[Speech],
) -> Iterator[tuple[str, list[Speech]]]:
    """A row's name, and each recording as it is in that row."""
    yield "clean", list(recordings)
    noises: dict[str, Noise] = {
        "white": lambda length, _: white(length),
        "pink": lambda length, _: pink(length),
        "babble": babble,
    }
    for name, noise in noises.items():
        for level_db in LEVELS_DB:
            mixed = []
            for index, speech in enumerate(recordings):
                others = [*recordings[:index], *recordings[index + 1 :]]
                added = noise(len(speech.samples), others)
                samples = with_noise(speech, added, level_db).samples
                mixed.append(Speech(samples / max(1.0, float(np.abs(samples).max())), RATE_HZ))
            yield f"{name}, {level_db:g} dB", mixed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--models", type=Path, default=app_folder() / "base_models")
    asked = parser.parse_args()
    length = round(asked.seconds * RATE_HZ)
    recordings = [
        Speech(read_speech(path, RATE_HZ).samples[:length], RATE_HZ) for path in asked.recordings
    ]
    judges = Judges(asked.models)
    words = [judges.words(speech) for speech in recordings]
    print("| recording | DNSMOS | word error rate | likeness |\n|---|---|---|---|")
    computed_s = audio_s = 0.0
    for name, noisy in mixtures(recordings):
        began = time.process_time()
        cleaned = [remove_noise(speech) for speech in noisy]
        computed_s += time.process_time() - began
        audio_s += sum(speech.duration_s for speech in noisy)
        scores = [
            [judges.score(*row) for row in zip(which, recordings, words, strict=True)]
            for which in (noisy, cleaned)
        ]
        before, after = ([mean(column) for column in zip(*rows, strict=True)] for rows in scores)
        forms = ("{:.2f}", "{:.1%}", "{:.2f}")
        cells = [
            f"{form.format(a)} -> {form.format(b)}"
            for form, a, b in zip(forms, before, after, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print(f"\n{computed_s / audio_s:.2f} s of processor time for each second of audio")


if __name__ == "__main__":
    main()
