"""Kokoro v1.0: phonemes and a style in, 24 kHz speech and the duration of every phoneme out."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.kokoro.kokoro_package import (
    REPOSITORY,
    import_kmodel,
)
from modules.core_components.ai_models.engines.kokoro.precision import Precision
from modules.core_components.ai_models.model_utils import seeded
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch

    from modules.core_components.ai_models.engines.kokoro.fast_decoder import FastDecoder

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "kokoro-v1_0.pth"
SAMPLE_RATE_HZ = 24_000
SAMPLES_PER_FRAME = 600  # a predicted duration counts frames of 1/40 s
STYLE_SIZE = 256  # timbre, then prosody
TIMBRE_SIZE = 128

_MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")
# Absent from some checkpoints, and right at the neutral values they are built with: the affine
# pairs of the instance norms, and ALBERT's pooler, which nothing reads.
_MAY_BE_ABSENT = re.compile(r"(\.norm\.(weight|bias)|^pooler\.(weight|bias))$")
_DOWNLOAD_AGAIN = "Delete the model on the Models tab and download it again."


@dataclass(frozen=True, eq=False)
class Utterance:
    """One synthesis: `samples` float32 [n] at 24 kHz.

    `durations_frames` int64 [phonemes + 2] holds the length of the leading pause, of every
    phoneme, and of the trailing pause, in frames of 600 samples (1/40 s).
    """

    samples: FloatArray
    durations_frames: NDArray[np.int64]


class KokoroV1Wrapper:
    """One loaded Kokoro v1.0, on `device`.

    Raises ModelMissingError and CorruptFileError that name the file. Not for two threads at once:
    the pool's run slot sees to that.
    """

    def __init__(
        self,
        config_path: Path,
        model_path: Path,
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        config = _read_config(config_path)
        self.vocabulary: Mapping[str, int] = config["vocab"]
        self.device = device
        self.model = _build(config, config_path, model_path).to(device).eval()
        self.model.requires_grad_(False)
        self._precision = precision
        self._decoder = self._speaking_decoder()

    def moved_to(self, device: str) -> KokoroV1Wrapper:
        """This model, now on another device."""
        self.model.to(device)
        self.device = device
        self._decoder = self._speaking_decoder()
        return self

    @property
    def max_phonemes(self) -> int:
        """The most phonemes of one utterance; two places of the context mark its ends."""
        return int(self.model.context_length) - 2

    def synthesize(
        self,
        phonemes: str,
        style: torch.Tensor,
        speed: float = 1.0,
        seed: int = 0,
        layer_offsets: torch.Tensor | None = None,
    ) -> Utterance:
        """Speaks `phonemes` in `style` (float32 [1, 256]), `speed` times as fast as usual.

        `layer_offsets` [layers, 128] are added to the timbre of each AdaIN layer. The vocoder's
        noise comes from `seed` alone. Raises BadInputError for phonemes that the model does not
        know, for none, or too many.
        """
        import torch

        from modules.core_components.ai_models.engines.kokoro.prosody import predict_prosody

        ids = self._ids(phonemes)
        with torch.inference_mode():
            tokens = torch.tensor([[0, *ids, 0]], dtype=torch.long, device=self.device)
            style = style.to(self.device)
            prosody = predict_prosody(self.model, tokens, style, speed)
            source = self._decoder.excitation(prosody.pitch_hz, torch.Generator().manual_seed(seed))
            timbre = style[:, :TIMBRE_SIZE]
            if layer_offsets is not None:
                timbre = timbre + layer_offsets.to(timbre)
            audio = self._decoder(prosody.text, prosody.pitch_hz, prosody.energy, timbre, source)
        return Utterance(
            samples=audio.float().cpu().numpy(),
            durations_frames=prosody.durations_frames.cpu().numpy(),
        )

    def _speaking_decoder(self) -> FastDecoder:
        import torch

        from modules.core_components.ai_models.engines.kokoro.fast_decoder import FastDecoder
        from modules.core_components.ai_models.engines.kokoro.speaking_layers import SpeakingLayers

        with torch.inference_mode():
            layers = SpeakingLayers(getattr(torch, self._precision))
            return FastDecoder(self.model.decoder, layers)

    def _ids(self, phonemes: str) -> list[int]:
        unknown = sorted(set(phonemes) - set(self.vocabulary))
        if unknown:
            raise BadInputError(
                f"Kokoro has no sound for {', '.join(map(repr, unknown))}.",
                "Use the phonemes of its vocabulary.",
            )
        if not 0 < len(phonemes) <= self.max_phonemes:
            raise BadInputError(
                f"Kokoro speaks 1 to {self.max_phonemes} phonemes at once, not {len(phonemes)}."
            )
        return [self.vocabulary[phoneme] for phoneme in phonemes]


def read_vocabulary(config_path: Path) -> Mapping[str, int]:
    """The phonemes that a model knows, without loading it; raises as KokoroV1Wrapper does."""
    vocabulary: Mapping[str, int] = _read_config(config_path)["vocab"]
    return vocabulary


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        vocabulary = config["vocab"]
        if not all(isinstance(i, int) for i in vocabulary.values()):
            raise ValueError("the vocabulary holds something else than numbers")
    except FileNotFoundError:
        raise _missing(path) from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise _corrupt(path, error) from error
    return dict(config)


def _build(config: dict[str, Any], config_path: Path, model_path: Path) -> Any:
    import torch

    states = _read_states(model_path)
    # KModel reads its weights leniently, so that a wrong file gives noise instead of an error; it
    # is built from an empty checkpoint and filled here.
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    kmodel = import_kmodel()
    try:
        # Layers are built with random numbers. Drawn outside the lock of `seeded`, they would
        # change what another thread is just speaking.
        with seeded(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's notes on weight_norm and LSTM dropout
            model = kmodel(repo_id=REPOSITORY, config=config, model=empty)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _corrupt(config_path, error) from error
    for name in _MODULES:
        _fill(getattr(model, name), states[name], name, model_path)
    _fold_weight_norm(model)
    return model


def _fold_weight_norm(model: torch.nn.Module) -> None:
    """Weight norm is for training; kept, it is computed again at every call."""
    from torch.nn.utils import remove_weight_norm

    for module in model.modules():
        if hasattr(module, "weight_v"):
            remove_weight_norm(module)


def _read_states(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    import pickle

    import torch

    if not path.is_file():
        raise _missing(path)
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
        absent = [name for name in _MODULES if name not in states]
        if absent:
            raise ValueError(f"it holds nothing for {', '.join(absent)}")
        return {
            name: {key.removeprefix("module."): value for key, value in states[name].items()}
            for name in _MODULES
        }
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
    ) as error:
        raise _corrupt(path, error) from error


def _fill(module: Any, state: dict[str, torch.Tensor], name: str, path: Path) -> None:
    try:
        outcome = module.load_state_dict(state, strict=False)
    except RuntimeError as error:  # a tensor of another shape
        raise _corrupt(path, error) from error
    absent = [key for key in outcome.missing_keys if not _MAY_BE_ABSENT.search(key)]
    if absent:
        raise _corrupt(path, f"{name} lacks {len(absent)} weights, first {absent[0]}")


def _missing(path: Path) -> ModelMissingError:
    return ModelMissingError(
        f"Kokoro's file {path.name} is not in {path.parent}.",
        "Download the model on the Models tab.",
    )


def _corrupt(path: Path, reason: object) -> CorruptFileError:
    first_lines = " ".join(str(reason).split())[:200]
    return CorruptFileError(f"Kokoro's file {path} cannot be used: {first_lines}.", _DOWNLOAD_AGAIN)
