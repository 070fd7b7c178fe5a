"""Renders the training data of the instant match: random voices, two short sentences each.

    python bench/instant_data.py --models base_models --work instant_data --voices 600 --part 0 2

A random voice is a mix of two to four stock voices, half of the time with another mix for the
prosody, moved a little in the directions in which the stock voices differ. What is kept for each:
its style at the middle row of a pack, and its speech at 16 kHz. Voices that are there already are
left alone, so the work can be stopped and shared among processes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder, SpeakingLayers
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import render
from modules.core_components.ai_models.engines.kokoro.fit.text import Reading
from modules.core_components.ai_models.engines.kokoro.network import import_kmodel
from modules.core_components.ai_models.engines.kokoro.reading.english import EnglishG2P

SENTENCES = (
    "The small dog barked at the postman.",
    "Would you like some more coffee now?",
    "A cold wind blew from the north.",
    "Our teacher gave us a hard question.",
    "They built the bridge in two years.",
    "Pass me the orange book, please.",
    "Her sister works at the airport.",
    "Nobody heard the telephone ring.",
    "We walked along the river for hours.",
    "The judge shook his head slowly.",
    "What time does the last bus leave?",
    "Few people know this narrow path.",
    "He put the fresh fish on the table.",
    "Cheap shoes hurt your feet.",
    "You must have dropped your keys.",
    "Thick smoke rose above the village.",
    "Is there any news about the vote?",
    "The picture on the wall is very old.",
    "I would rather stay home tonight.",
    "Green apples make a good cake.",
    "The children laughed and ran outside.",
    "Both of them are usually early.",
    "Turn left behind the large church.",
    "My voice sounds strange to me.",
)
MIDDLE_ROW = 60
CLIPS_OF_MIX, CLIPS_OF_STOCK = 1, 4


@dataclass(frozen=True, eq=False)
class RandomVoice:
    """Weights of the stock voices for timbre and prosody [2, v], and a shift [256]."""

    weights: Tensor
    shift: Tensor

    def row(self, packs: Tensor, row: int) -> Tensor:
        """The style [1, 256] in that row of `packs` [v, 510, 256]."""
        styles = packs[:, row]
        timbre = self.weights[0] @ styles[:, :128]
        prosody = self.weights[1] @ styles[:, 128:]
        return (torch.cat([timbre, prosody]) + self.shift)[None]


def draw_voice(packs: Tensor, seed: int) -> RandomVoice:
    """The random voice of that number."""
    random = np.random.default_rng([1, seed])
    count = len(packs)
    styles = packs[:, MIDDLE_ROW].double().numpy()
    centred = styles - styles.mean(axis=0)

    def mix() -> np.ndarray:
        chosen = random.choice(count, size=int(random.integers(2, 5)), replace=False)
        weights = np.zeros(count)
        weights[chosen] = random.dirichlet(np.ones(len(chosen)))
        return weights

    timbre = mix()
    prosody = mix() if random.random() < 0.5 else timbre
    # A random combination of the voices' differences has their covariance.
    shift = random.normal(size=count) @ centred / np.sqrt(count - 1) * random.uniform(0.0, 0.6)
    shift += random.normal(size=256) * centred.std(axis=0) * random.uniform(0.0, 0.15)
    weights = torch.from_numpy(np.stack([timbre, prosody])).float()
    return RandomVoice(weights, torch.from_numpy(shift).float())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--voices", type=int, default=600)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "OF"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = arguments.models / "kokoro/v1_0"
    names, packs = load_packs(folder)
    kmodel = import_kmodel()(
        repo_id="hexgrad/Kokoro-82M",
        config=str(folder / "config.json"),
        model=str(folder / "kokoro-v1_0.pth"),
    ).eval()
    with torch.inference_mode():
        decoder = FastDecoder(kmodel.decoder, SpeakingLayers(torch.bfloat16))
    g2p = EnglishG2P(british=False)
    readings = [Reading(kmodel, str(g2p(sentence)[0])) for sentence in SENTENCES]
    arguments.work.mkdir(parents=True, exist_ok=True)
    part, parts = arguments.part

    def speak(path: Path, voice: RandomVoice, which: list[int]) -> None:
        if path.exists():
            return
        kept = {"style": voice.row(packs, MIDDLE_ROW)[0], "weights": voice.weights}
        for place, sentence in enumerate(which):
            reading = readings[sentence]
            with torch.inference_mode():
                style = voice.row(packs, reading.row)
                kept[f"clip{place}"] = render(kmodel, decoder, reading, style, place).half()
        unfinished = path.with_suffix(".part")
        save_file({name: value.contiguous() for name, value in kept.items()}, unfinished)
        unfinished.rename(path)

    for number in range(part, arguments.voices, parts):
        which = np.random.default_rng([2, number]).permutation(len(SENTENCES))[:CLIPS_OF_MIX]
        path = arguments.work / f"mix_{number:05d}.safetensors"
        speak(path, draw_voice(packs, number), [int(i) for i in which])
    for number in range(part, len(names), parts):
        weights = torch.zeros(2, len(names))
        weights[:, number] = 1
        path = arguments.work / f"stock_{names[number]}.safetensors"
        speak(path, RandomVoice(weights, torch.zeros(256)), list(range(CLIPS_OF_STOCK)))


def load_packs(folder: Path) -> tuple[list[str], Tensor]:
    """The stock voices' names, sorted, and their packs [v, 510, 256]."""
    paths = sorted(folder.glob("voices/*.pt"))
    packs = [torch.load(path, weights_only=True).float()[:, 0] for path in paths]
    return [path.stem for path in paths], torch.stack(packs)


if __name__ == "__main__":
    main()
