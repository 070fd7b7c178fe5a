"""Instant voice match: a Kokoro voice near a speaker's in a fraction of a second.

Nothing is rendered. The sample is described by two speaker encoders (the timbre encoder and CAM++)
and its pitch. First the stock voices are mixed so that the mix of their descriptions is near the
sample's. Then the style of the mix is moved: a linear model, learned on renderings of random voices
(bench/learn_instant_match.py), says how the description changes with the style, and the shift is
what explains the rest of the difference best (the mean of the posterior of a Gaussian model, whose
prior is the spread of the stock voices). Either step alone gives less: docs/voice_fit_study.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    SAMPLE_RATE_HZ,
    normalize_level,
    pitch_statistics,
    split_sample,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    PROJECTION_FILE,
    TimbreEncoder,
)
from modules.core_components.errors import CorruptFileError, StudioError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray

WEIGHTS_FILE = Path(__file__).with_suffix(".safetensors")
MIDDLE_ROW = 60  # the row of a pack by which voices are identified and described
TIMBRE, CAMPPLUS, PITCH = slice(0, 40), slice(40, 232), slice(232, 233)
DESCRIPTION_SIZE = 233

_FORMAT = "instant-match-1"
_ENGLISH_VOICES = ("a", "b")  # Kokoro's names begin with the language: American, British
_SAME = 1e-3  # the largest difference between a pack and the one that the model was learned on
_LONGEST_S = 20  # as much of the sample is listened to
# The objective of the mix: the sum of both cosines, minus these times the squared difference of
# log pitch, the share of voices made for other languages (they keep their accent), and the sum of
# squared shares.
_PITCH_WEIGHT, _FOREIGN_WEIGHT, _EVENNESS = 4.0, 0.3, 0.025
_STEPS, _STEP_SIZE = 800, 0.03
_LEAST_SHARE = 0.01

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InstantMatch:
    """A voice near the sample's.

    `pack` float32 [510, 1, 256] is an ordinary Kokoro voice: the stock voices mixed by `shares`
    (name to share, the largest first; they sum to 1) with one shift added to every row.
    `start_voice` is the stock voice nearest to the sample. The similarities are CAM++ cosines with
    the sample: of the start voice's speech, of the new voice's as the model expects it (nothing was
    spoken), and of one half of the sample with the other. They guided the match, so that the GE2E
    similarity of the first spoken sentence says more.
    """

    pack: FloatArray
    start_voice: str
    shares: Mapping[str, float]
    similarity_start: float
    similarity_expected: float
    similarity_self: float
    pitch_hz: float


@dataclass(frozen=True, eq=False)
class InstantModel:
    """The learned model.

    A description [233] is a timbre embedding, a CAM++ embedding and the log pitch in Hz. `styles`
    [v, 256] are the middle rows of the stock packs `names`, `descriptions` [v, 233] those of their
    speech. `gain` [233, k] gives the coordinates that explain a difference of two descriptions
    best, `slopes` [k, 233] the difference that coordinates make, `basis` [k, 256] the style of a
    unit of each coordinate.
    """

    names: tuple[str, ...]
    styles: Vector
    descriptions: Vector
    gain: Vector
    slopes: Vector
    basis: Vector


def load_instant_model(path: Path = WEIGHTS_FILE) -> InstantModel:
    """The model that ships with the studio; raises CorruptFileError where it is not whole."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        names = tuple(json.loads(metadata["names"]))
        tensors = {name: value.astype(np.float64) for name, value in found.items()}
        model = InstantModel(names, **tensors)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise _corrupt(path, str(error)) from error
    moved = len(model.basis)
    shapes = {
        "styles": (len(names), 256), "descriptions": (len(names), DESCRIPTION_SIZE),
        "gain": (DESCRIPTION_SIZE, moved), "slopes": (moved, DESCRIPTION_SIZE),
        "basis": (moved, 256),
    }  # fmt: skip
    if any(tensors[name].shape != shape for name, shape in shapes.items()):
        raise _corrupt(path, "its tensors do not fit together")
    if not all(np.isfinite(tensor).all() for tensor in tensors.values()):
        raise _corrupt(path, "it holds numbers that are not finite")
    if metadata.get("key") != model_key():
        raise _corrupt(path, "it was learned with another timbre encoder")
    return model


def model_key() -> str:
    """What the learned numbers depend on besides the voices: the form and the timbre encoder."""
    return hashlib.sha256(_FORMAT.encode() + PROJECTION_FILE.read_bytes()).hexdigest()


def knows_voices(voices: Mapping[str, Tensor]) -> bool:
    """Whether any of the stock packs [510, 1, 256] is one that the shipped model was learned on."""
    return bool(_known_voices(load_instant_model(), voices))


@torch.no_grad()
def describe(timbre: TimbreEncoder, campplus: CampplusEncoder, samples: Tensor) -> Vector:
    """The description [233] of 16 kHz speech [n]; its log pitch is 0 where none is found."""
    return _describe(timbre, campplus.embed_tensor(normalize_level(samples)), samples)


def match_instantly(
    timbre: TimbreEncoder,
    campplus: CampplusEncoder,
    voices: Mapping[str, Tensor],
    sample: FloatArray,
    sample_rate_hz: int,
    *,
    model: InstantModel | None = None,
    strength: float = 1.0,
) -> InstantMatch:
    """A voice near `sample`: mono speech [n] without long silences, 2 s at least.

    `voices` are the stock packs [510, 1, 256]; those that the model was not learned on are left
    out. `strength` is how much of the shift is added; with 0 the voice is a mix of stock voices.
    The same inputs give the same bits on one machine with the same number of threads (another one
    changes the last digit). Raises BadInputError for too little speech,
    StudioError where no voice is known, CorruptFileError where the shipped model is harmed.
    """
    first, second = (
        torch.from_numpy(part[: _LONGEST_S * SAMPLE_RATE_HZ // 2])
        for part in split_sample(sample, sample_rate_hz, 0.5)
    )
    model = model or load_instant_model()
    known = _known_voices(model, voices)
    if not known:
        raise StudioError(
            _("The instant match knows none of these voices."),
            _("Fit the voice instead, or download the voices of Kokoro v1.0."),
        )
    with torch.no_grad():
        halves = [campplus.embed_tensor(normalize_level(part)) for part in (first, second)]
        middle = functional.normalize(halves[0] + halves[1], dim=0)
        wanted = _describe(timbre, middle, torch.cat([first, second]))
    speech = model.descriptions[known]
    english = np.array([model.names[index].startswith(_ENGLISH_VOICES) for index in known])
    shares = _mix(speech, english, wanted)
    start = _nearest(speech, english, wanted)
    mixed = shares @ speech
    moved = strength * (_difference(wanted, mixed) @ model.gain)
    names = [model.names[index] for index in known]
    pack = sum(
        float(share) * voices[name].double().numpy()
        for name, share in zip(names, shares, strict=True)
        if share > 0
    )
    order = np.argsort(-shares, kind="stable")
    return InstantMatch(
        pack=np.asarray(pack + moved @ model.basis, np.float32),
        start_voice=names[start],
        shares={names[i]: float(shares[i]) for i in order if shares[i] > 0},
        similarity_start=_cosine(speech[start, CAMPPLUS], wanted[CAMPPLUS]),
        similarity_expected=_cosine((mixed + moved @ model.slopes)[CAMPPLUS], wanted[CAMPPLUS]),
        similarity_self=float(halves[0] @ halves[1]),
        pitch_hz=float(np.exp(wanted[PITCH][0])) if wanted[PITCH][0] else 0.0,
    )


def _describe(timbre: TimbreEncoder, embedding: Tensor, samples: Tensor) -> Vector:
    samples = normalize_level(samples)
    log_pitch, _unused = pitch_statistics(samples)
    parts = (timbre.embed_long(samples), embedding, torch.tensor([log_pitch]))
    return np.asarray(torch.cat(parts).numpy(), np.float64)


def _known_voices(model: InstantModel, voices: Mapping[str, Tensor]) -> list[int]:
    """Indices of the model's voices that are among `voices`, unchanged."""
    known = []
    for index, name in enumerate(model.names):
        pack = voices.get(name)
        if pack is not None and pack.shape[0] > MIDDLE_ROW:
            style = pack[MIDDLE_ROW].reshape(-1).numpy()
            if float(np.abs(style - model.styles[index]).max()) <= _SAME:
                known.append(index)
    return known


def _mix(speech: Vector, english: npt.NDArray[np.bool_], wanted: Vector) -> Vector:
    """The shares [v], none negative, their sum 1, whose mix of descriptions [v, 233] is nearest.

    Projected gradient ascent on the objective above; shares below a hundredth are dropped.
    """
    shares = np.full(len(speech), 1 / len(speech))
    for _unused in range(_STEPS):
        mixed = shares @ speech
        ahead = -_FOREIGN_WEIGHT * ~english - 2 * _EVENNESS * shares
        for part in (TIMBRE, CAMPPLUS):
            length = np.linalg.norm(mixed[part]) + 1e-9
            off = wanted[part] - (mixed[part] @ wanted[part]) / length**2 * mixed[part]
            ahead = ahead + speech[:, part] @ off / length
        higher = _difference(wanted, mixed)[PITCH]
        ahead = ahead + 2 * _PITCH_WEIGHT * speech[:, PITCH] @ higher
        shares = _nearest_shares(shares + _STEP_SIZE * ahead)
    shares[shares < _LEAST_SHARE] = 0
    return shares / shares.sum()


def _nearest_shares(x: Vector) -> Vector:
    """The projection of `x` [v] on the simplex (Duchi et al. 2008)."""
    falling = np.sort(x)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(x) + 1)
    last = np.flatnonzero(falling > excess)[-1]
    return np.maximum(x - excess[last], 0)


def _nearest(speech: Vector, english: npt.NDArray[np.bool_], wanted: Vector) -> int:
    """The index of the single voice for which the mix's objective is highest."""
    closeness = -_FOREIGN_WEIGHT * ~english
    for part in (TIMBRE, CAMPPLUS):
        lengths = np.linalg.norm(speech[:, part], axis=1) + 1e-9
        closeness = closeness + speech[:, part] @ wanted[part] / lengths
    higher = [_difference(wanted, one)[PITCH][0] for one in speech]
    return int((closeness - _PITCH_WEIGHT * np.square(higher)).argmax())


def _difference(wanted: Vector, description: Vector) -> Vector:
    """What is missing of the wanted description; no pitch where the sample has none."""
    difference = wanted - description
    if wanted[PITCH][0] == 0:
        difference[PITCH] = 0
    return difference


def _cosine(a: Vector, b: Vector) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))


def _corrupt(path: Path, reason: str) -> CorruptFileError:
    return CorruptFileError(
        _("A file that the studio matches voices with is damaged."),
        _("Install the studio again: the file comes with it."),
        details=f"{path}: {reason}.",
    )
