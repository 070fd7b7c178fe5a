"""Learns the model of the instant voice match and writes it beside its module.

    python bench/instant_data.py --models base_models --work instant_data --voices 300
    python bench/learn_instant_match.py --models base_models --work instant_data

How the description of a voice's speech (timbre embedding, CAM++ embedding, log pitch) changes with
its style is learned by ridge regression on the renderings of random voices. The style is given in
coordinates: the principal components of the stock voices, each in their standard deviations. The
gain turns that round: the mean of the posterior of the coordinates, given a difference of two
descriptions, with the spread of the stock voices as prior and the error of prediction (five-fold
cross-validation) as noise. Prints how much of the variance each part predicts.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.instant_data import load_packs
from modules.core_components.ai_models.engines.campplus_network import load_campplus
from modules.core_components.ai_models.engines.kokoro.fit.instant_match import (
    CAMPPLUS,
    DESCRIPTION_SIZE,
    MIDDLE_ROW,
    PITCH,
    TIMBRE,
    WEIGHTS_FILE,
    describe,
    model_key,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    TimbreEncoder,
    load_projection,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features

Matrix = npt.NDArray[np.float64]
COORDINATES = 30
RIDGE = {"timbre": 15.0, "CAM++": 30.0, "pitch": 5.0}
PARTS = {"timbre": TIMBRE, "CAM++": CAMPPLUS, "pitch": PITCH}
# CAM++ places microphones apart from renderings: part of what is missing no style can give.
DISTRUST = {"timbre": 1.0, "CAM++": 3.0, "pitch": 1.0}
FOLDS = 5
STEADY = 1e-3  # added to the spread of each number of a style


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Styles [n, 256] as coordinates [n, k] and back: `mean` [256], `axes` [k, 256]."""

    mean: Matrix
    scale: Matrix
    axes: Matrix
    spread: Matrix

    def of(self, styles: Matrix) -> Matrix:
        return ((styles - self.mean) / self.scale) @ self.axes.T / self.spread

    def basis(self) -> Matrix:
        """The style [k, 256] of a unit of each coordinate."""
        return self.spread[:, None] * self.axes * self.scale


def find_coordinates(styles: Matrix, count: int) -> Coordinates:
    """The principal components of the stock voices' `styles` [v, 256]."""
    mean, scale = styles.mean(axis=0), styles.std(axis=0) + STEADY
    _, singular, axes = np.linalg.svd((styles - mean) / scale, full_matrices=False)
    spread = singular[:count] / np.sqrt(len(styles) - 1)
    return Coordinates(mean, scale, axes[:count], spread)


def learn_slopes(x: Matrix, y: Matrix, ridge: float) -> Matrix:
    """The change [k, d] of `y` [n, d] with `x` [n, k]."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)


def prediction_error(x: Matrix, y: Matrix, ridge: float) -> float:
    """Mean squared error of the prediction of rows that were not learned from."""
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    total = 0.0
    for number in range(FOLDS):
        rest, held = fold != number, fold == number
        slopes = learn_slopes(x[rest], y[rest], ridge)
        guess = y[rest].mean(axis=0) + (x[held] - x[rest].mean(axis=0)) @ slopes
        total += float(np.square(y[held] - guess).sum())
    return total / y.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names, packs = load_packs(arguments.models / "kokoro/v1_0")
    styles = packs[:, MIDDLE_ROW].double().numpy()
    spoken = describe_voices(arguments.models, arguments.work)
    voices = sorted(spoken)
    coordinates = find_coordinates(styles, COORDINATES)
    x = coordinates.of(np.stack([spoken[voice][0] for voice in voices]))
    y = np.stack([spoken[voice][1] for voice in voices])
    slopes = np.zeros((COORDINATES, DESCRIPTION_SIZE))
    noise = np.zeros(DESCRIPTION_SIZE)
    for name, part in PARTS.items():
        slopes[:, part] = learn_slopes(x, y[:, part], RIDGE[name])
        error = prediction_error(x, y[:, part], RIDGE[name])
        noise[part] = DISTRUST[name] * error
        explained = 1 - error / y[:, part].var(axis=0).mean()
        print(f"{name}: {explained:.2f} of the variance, error {error**0.5:.3f}")
    precise = slopes / noise
    gain = np.linalg.solve(precise @ slopes.T + np.eye(COORDINATES), precise).T
    tensors = {
        "styles": styles,
        "descriptions": np.stack([spoken[f"stock_{name}"][1] for name in names]),
        "gain": gain,
        "slopes": slopes,
        "basis": coordinates.basis(),
    }
    small = {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}
    save_file(small, WEIGHTS_FILE, metadata={"names": json.dumps(names), "key": model_key()})
    print(f"{len(voices)} voices, {WEIGHTS_FILE.name} {WEIGHTS_FILE.stat().st_size} bytes")


def describe_voices(models: Path, work: Path) -> dict[str, tuple[Matrix, Matrix]]:
    """Style [256] and description [233] of each voice in `work`; descriptions are kept there."""
    features = load_whisper_features(models / "whisper/tiny.en")
    timbre = TimbreEncoder(partial(whisper_statistics, features), load_projection())
    campplus = load_campplus(models / "campplus/campplus_cn_en_common.pt")
    kept = work / "descriptions"
    kept.mkdir(exist_ok=True)
    found = {}
    for path in sorted(work.glob("*.safetensors")):
        file = kept / f"{path.stem}.{model_key()[:8]}.npy"
        if not file.exists():
            tensors = load_file(path)
            clips = [tensors[key].float() for key in sorted(tensors) if key.startswith("clip")]
            np.save(file, describe(timbre, campplus, torch.cat(clips)))
        with safe_open(path, framework="numpy") as tensors_file:
            style = tensors_file.get_tensor("style").astype(np.float64)
        found[path.stem] = (style, np.load(file))
    return found


if __name__ == "__main__":
    main()
