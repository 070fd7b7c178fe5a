"""One loaded Pocket TTS: a recording becomes a voice state, text and a voice state become sound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.pocket_tts.checkpoint import load
from modules.core_components.ai_models.model_utils import module_bytes, seeded
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

SAMPLE_RATE_HZ = 24_000


class PocketNetwork:
    """The model of a folder; not thread-safe, the pool's run slot keeps threads apart."""

    def __init__(self, folder: Path, variant: str, config_file: Path, device: str) -> None:
        """Raises as `checkpoint.load`."""
        self._model = load(folder, variant, config_file).to(device)

    @property
    def package_model(self) -> Any:
        """The package's `TTSModel`."""
        return self._model

    @property
    def nbytes(self) -> int:
        return module_bytes(self._model)

    def move_to(self, device: str) -> Self:
        self._model.to(device)
        return self

    def condition(self, samples: FloatArray) -> dict[str, NDArray[Any]]:
        """The voice state after a recording, float32 [n] at 24 kHz mono, by "module/name".

        A "cache" is float32 [2, 1, frames, heads, width] (keys and values), an "offset" int64 [1].
        """
        import torch

        state = self._model.get_state_for_audio_prompt(torch.tensor(samples)[None])
        return {
            f"{module}/{name}": tensor.cpu().numpy()
            for module, tensors in state.items()
            for name, tensor in tensors.items()
        }

    def speak(
        self,
        text: str,
        voice: Mapping[str, NDArray[Any]],
        temperature: float,
        steps: int,
        seed: int,
        give: Callable[[FloatArray], None],
        stop: threading.Event,
    ) -> None:
        """Hands the speech to `give` as it is decoded, float32 [n] at 24 kHz, until it ends or
        `stop` is set.

        `voice` is what `condition` returned. It computes in threads of the package's, which draw
        from torch's global generators: it ends only when they have.
        """
        self._model.temp, self._model.sampler_decode_steps = temperature, steps
        state = self._state(voice)
        with seeded(seed):
            # Taken to its end even after a stop, which comes within a frame of 80 ms then.
            for chunk in self._model.generate_audio_stream(state, text, stop=stop):
                if not stop.is_set():
                    give(np.asarray(chunk.float().cpu().numpy(), np.float32))

    def _state(self, voice: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, torch.Tensor]]:
        import torch

        state: dict[str, dict[str, Any]] = {}
        for key, array in voice.items():
            module, _, name = key.rpartition("/")
            state.setdefault(module, {})[name] = torch.tensor(array, device=self._model.device)
        return state
