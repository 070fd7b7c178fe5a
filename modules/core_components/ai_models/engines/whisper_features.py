"""Whisper's audio encoder in torch, read from a CTranslate2 folder: features with a gradient.

faster-whisper's `encode` returns the last layer only and cannot be differentiated. The weights in
`model.bin` are plain arrays, and the encoder is a small pre-norm transformer (Radford et al.
2022), so it is written out here. Its lower layers still distinguish speakers, its last layer
mostly encodes what is said.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.audio.mel import mel_filters
from modules.core_components.errors import StudioError
from modules.core_components.texts import _

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 320  # one feature frame is 20 ms
_HEAD_SIZE = 64
_DTYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


class WhisperFeatures:
    """The encoder of an English or multilingual Whisper with 80 mel bands (not large-v3).

    `check` is called between the layers; what it raises ends the computation.
    """

    def __init__(
        self, weights: dict[str, Tensor], check: Callable[[], None] = lambda: None
    ) -> None:
        self._w = weights
        self._check = check
        self._size = weights["conv2/bias"].shape[0]
        self._window = torch.hann_window(400)
        self._mel = _mel_80()
        numbered = [name.split("/")[0] for name in weights if name.startswith("layer_")]
        self.layers = 1 + max(int(n[6:]) for n in numbered if n[6:].isdigit())

    def __call__(self, samples: Tensor, layers: int | None = None) -> list[Tensor]:
        """Hidden states [frames, size] after the convolutions and after each of `layers`.

        `samples` [n] at 16 kHz, at most 30 s. With all layers, the last entry is normed.
        """
        w = self._w
        x = functional.gelu(
            functional.conv1d(self.log_mel(samples)[None], w["conv1/weight"], w["conv1/bias"], 1, 1)
        )
        x = functional.gelu(functional.conv1d(x, w["conv2/weight"], w["conv2/bias"], 2, 1))[0].T
        x = x + w["position_encodings/encodings"][: x.shape[0]]
        states = [x]
        count = self.layers if layers is None else layers
        for i in range(count):
            self._check()
            x = x + self._attention(self._norm(x, f"layer_{i}/self_attention/layer_norm"), i)
            y = self._norm(x, f"layer_{i}/ffn/layer_norm")
            y = functional.gelu(self._linear(y, f"layer_{i}/ffn/linear_0"))
            x = x + self._linear(y, f"layer_{i}/ffn/linear_1")
            states.append(x)
        if count == self.layers:
            states[-1] = self._norm(x, "layer_norm")
        return states

    def log_mel(self, samples: Tensor) -> Tensor:
        """Whisper's input [80, frames of 10 ms] (whisper/audio.py:log_mel_spectrogram)."""
        spectrum = torch.stft(samples, 400, 160, window=self._window, return_complex=True)
        power = spectrum[:, :-1].real.square() + spectrum[:, :-1].imag.square()
        mel = (self._mel @ power).clamp_min(1e-10).log10()
        return (torch.maximum(mel, mel.detach().max() - 8.0) + 4.0) / 4.0

    def _attention(self, x: Tensor, layer: int) -> Tensor:
        joint = self._linear(x, f"layer_{layer}/self_attention/linear_0")
        q, k, v = (
            part.reshape(-1, self._size // _HEAD_SIZE, _HEAD_SIZE).transpose(0, 1)[None]
            for part in joint.split(self._size, dim=-1)
        )
        heads = functional.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1)
        return self._linear(heads.reshape(-1, self._size), f"layer_{layer}/self_attention/linear_1")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._w[f"{name}/weight"], self._w[f"{name}/bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(
            x, (self._size,), self._w[f"{name}/gamma"], self._w[f"{name}/beta"]
        )


def load_whisper_features(
    folder: Path, check: Callable[[], None] = lambda: None
) -> WhisperFeatures:
    """The encoder of the CTranslate2 model in `folder` (float weights, as faster-whisper's are).

    Raises StudioError when the file is not one.
    """
    try:
        arrays = _read_ctranslate2((folder / "model.bin").read_bytes())
        encoder = {
            name.removeprefix("encoder/"): torch.from_numpy(array.astype(np.float32))
            for name, array in arrays.items()
            if name.startswith("encoder/")
        }
        return WhisperFeatures(encoder, check)
    except (OSError, KeyError, ValueError, struct.error) as error:
        raise StudioError(
            _("The files of the Whisper model that voices are matched with are damaged."),
            hint=_("Delete Whisper tiny.en on the Models tab and download it again."),
            details=f"{folder}: {error}",
        ) from error


def _read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """The variables of a model file (ctranslate2/specs/model_spec.py:ModelSpec._serialize)."""
    offset = 0

    def number(kind: str) -> int:
        nonlocal offset
        value = struct.unpack_from("<" + kind, data, offset)[0]
        offset += struct.calcsize("<" + kind)
        return int(value)

    def text() -> str:
        nonlocal offset
        length = number("H")
        value = data[offset : offset + length - 1].decode()
        offset += length
        return value

    number("I"), text(), number("I")  # format version, name of the specification, its revision
    variables: dict[str, np.ndarray] = {}
    for _unused in range(number("I")):
        name = text()
        shape = [number("I") for _unused in range(number("B"))]
        dtype = np.dtype(_DTYPES[number("B")])
        size = number("I")
        variables[name] = np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape)
        offset += size
    quantized = [name for name, array in variables.items() if array.dtype == np.int8]
    if any(name.startswith("encoder/") for name in quantized):
        raise ValueError("its weights are 8-bit integers")
    return variables


def _mel_80() -> Tensor:
    return torch.from_numpy(mel_filters(SAMPLE_RATE_HZ, 400, 80))
