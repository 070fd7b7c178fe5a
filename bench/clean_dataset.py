"""What removing the noise of a dataset's clips does to them.

    python -m bench.clean_dataset RECORDINGS TEXTS --models base_models [--prompts 40]

RECORDINGS and TEXTS as in bench/dataset.py: prompts of one speaker, joined with pauses. The whole
is mixed with noise at each level, and a dataset is built of it twice, with and without `denoise`.
The clips are judged by DNSMOS P.835 overall, their signal to noise, and the cosine of GE2E
embeddings with the same seconds of the recording without noise. Prints a row for each.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.ai_models.engines.speaker_encoder import (
    load_speaker_encoder,
    similarity,
)

from bench.dataset import read_prompts
from bench.voice_judges import naturalness
from bench.word_times import SENTENCE_PAUSES_S, joined
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.measure import signal_to_noise_db
from modules.core_components.audio.resample import resample
from modules.core_components.dataset.trimming import excerpt
from modules.core_components.values import Speech
from modules.tools.dataset.build import DatasetRequest, build_dataset
from modules.tools.models.model_names import find_model
from modules.tools.services import open_services
from tests.helpers.noise import pink, white, with_noise

LEVELS_DB = (15.0, 5.0)
NOISES = {"white": white, "pink": pink}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--prompts", type=int, default=40)
    asked = parser.parse_args()
    prompts = read_prompts(asked.recordings, asked.texts)
    rng = random.Random(1)
    rng.shuffle(prompts)
    several = [prompt for prompt in prompts if len(prompt.text.split()) > 4]
    clean, _ = joined(several[: asked.prompts], SENTENCE_PAUSES_S, rng)
    encoder = load_speaker_encoder(asked.models / "ge2e/pretrained.pt")
    print("| noise | clips | DNSMOS | dB above the noise | likeness |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        services = open_services(Path(folder), {"models_folder": str(asked.models.absolute())})
        model_id = find_model(services.asr, asked.model)
        for kind, noise in NOISES.items():
            for level_db in LEVELS_DB:
                name = f"{kind}, {level_db:g} dB"
                noisy = with_noise(clean, noise(len(clean.samples)), level_db)
                peak = max(1.0, float(np.abs(noisy.samples).max()))
                path = Path(folder) / f"{kind}{level_db:g}.wav"
                write_speech(path, Speech(noisy.samples / peak, clean.sample_rate_hz))
                rows, texts = [], []
                services.datasets.create(name, "en", "somebody", agreed=True)
                for denoise in (False, True):
                    request = DatasetRequest(
                        name, (str(path),), model_id=model_id, replace=True, denoise=denoise
                    )
                    build_dataset(services, request)
                    dataset = services.datasets.get(name)
                    texts.append([clip.text for clip in dataset.clips])
                    scores = []
                    for clip in dataset.clips:
                        sound = read_speech(dataset.wav_of(clip))
                        same = excerpt(clean, clip.start_s, clip.end_s)
                        at_16 = resample(sound.samples, sound.sample_rate_hz, 16_000)
                        pair = (
                            encoder.embed(one.samples, one.sample_rate_hz) for one in (sound, same)
                        )
                        scores.append(
                            (
                                naturalness([at_16]),
                                signal_to_noise_db(sound) or 0.0,
                                similarity(*pair),
                            )
                        )
                    rows.append(np.mean(scores, axis=0))
                assert texts[0] == texts[1]
                cells = [
                    f"{form.format(a)} -> {form.format(b)}"
                    for form, a, b in zip(("{:.2f}", "{:.0f}", "{:.2f}"), *rows, strict=True)
                ]
                print(f"| {name} | {len(scores)} | {' | '.join(cells)} |", flush=True)
        services.close()


if __name__ == "__main__":
    main()
