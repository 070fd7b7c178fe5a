"""The int8 ONNX file becomes a checkpoint that KModel loads; anything odd is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from modules.core_components.ai_models.engines.kokoro import starter
from modules.core_components.errors import StudioError
from tests.helpers.errors import detailed
from tests.helpers.tiny_kokoro import build_tiny_kokoro


def quantize(weight: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint8 q, scale, zero point 128, one scale for all or one along the last axis."""
    reduce = None if axis is None else tuple(range(weight.ndim - 1))
    scale = np.maximum(np.abs(weight).max(axis=reduce) / 127, 1e-8).astype(np.float32)
    q = np.clip(np.round(weight / scale) + 128, 0, 255).astype(np.uint8)
    return q, scale, np.full(np.shape(scale), 128, np.uint8)


class GraphBuilder:
    """Writes a state dict the way the registry's graph holds it: anonymous, shared zero points."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.held: dict[str, onnx.TensorProto] = {}

    def hold(self, name: str, array: np.ndarray) -> str:
        self.held[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def matmul(self, node: str, weight: np.ndarray) -> None:
        name = f"onnx::MatMul_{len(self.nodes)}"
        q, scale, zero = quantize(weight.T, axis=-1)
        self.hold(f"{name}_quantized", q)
        self.hold(f"{name}_scale", scale)
        shared = self.hold(f"shared_zero_point_{len(zero)}", zero)
        self._node("MatMulInteger", f"{node}/MatMul_quant", ["x", f"{name}_quantized", "z", shared])

    def conv(self, node: str, weight: np.ndarray) -> None:
        name = f"{node}/Mul_output_{len(self.nodes)}"
        q, scale, zero = quantize(weight, axis=None)
        self.hold(f"{name}_quantized", q)
        self.hold(f"{name}_scale", scale)
        shared = self.hold("shared_zero_point", zero)
        self._node("ConvInteger", f"{node}/Conv_quant", ["x", f"{name}_quantized", "z", shared])

    def _node(self, kind: str, name: str, inputs: list[str]) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}_out"], name=name))

    def save(self, path: Path) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "kokoro",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
            [],
            initializer=list(self.held.values()),
        )
        onnx.save(helper.make_model(graph), str(path))
        return path


def test_weights_are_found_by_their_nodes(tmp_path: Path) -> None:
    builder = GraphBuilder()
    rng = np.random.default_rng(0)
    linear = rng.normal(size=(6, 4)).astype(np.float32)
    conv = rng.normal(size=(5, 4, 3)).astype(np.float32)
    conv[2] = 0  # a dead channel
    builder.matmul("/encoder/bert/encoder/albert_layer_groups.0/x/query", linear)
    builder.matmul("/encoder/bert/encoder/albert_layer_groups.0/x/query_1", linear)
    builder.conv("/encoder/F0.0/conv1", conv)
    builder.conv("/encoder/text_encoder/cnn.0/cnn.0.0", conv)
    builder.hold("encoder.predictor.F0.0.conv1.bias", linear[0])
    found = dict(starter._named_weights(builder.save(tmp_path / "k.onnx")))

    query = found["bert.encoder.albert_layer_groups.0.x.query.weight"]
    assert np.abs(query - linear).max() < np.abs(linear).max() / 127
    assert not any("query_1" in name for name in found)
    assert np.array_equal(found["predictor.F0.0.conv1.bias"], linear[0])
    v, g = (found[f"text_encoder.cnn.0.0.weight_{part}"] for part in "vg")
    folded = torch._weight_norm(torch.tensor(v), torch.tensor(g), 0).numpy()
    assert np.isfinite(folded).all()
    assert np.abs(folded - conv).max() < np.abs(conv).max() / 100
    assert set(found) >= {"predictor.F0.0.conv1.weight_g", "predictor.F0.0.conv1.weight_v"}


def test_lstm_gates_are_reordered() -> None:
    hidden, size = 3, 2
    gates = np.repeat(np.arange(4.0, dtype=np.float32), hidden)  # ONNX: i, o, f, c
    input_w = np.broadcast_to(gates, (2, size, 4 * hidden))
    bias = np.concatenate([np.stack([gates, gates]), np.stack([gates, gates]) + 10], axis=1)
    tensors = dict(starter._lstm("m", input_w, input_w, bias))
    rows = tensors["m.weight_ih_l0"][:, 0].reshape(4, hidden)[:, 0]
    assert rows.tolist() == [0, 2, 3, 1]  # torch: i, f, g, o
    assert tensors["m.bias_hh_l0_reverse"].reshape(4, hidden)[:, 0].tolist() == [10, 12, 13, 11]


def test_an_incomplete_graph_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    tiny = build_tiny_kokoro(tmp_path / "tiny")
    builder = GraphBuilder()
    builder.conv("/encoder/F0.0/conv1", np.ones((5, 4, 3), np.float32))
    onnx_path = builder.save(tmp_path / "k.onnx")
    target = tmp_path / "out" / "kokoro-v1_0.pth"
    with pytest.raises(StudioError, check=detailed("missing")):
        starter.convert_onnx_weights(onnx_path, target, tiny / "config.json")
    assert not target.exists()


def test_a_file_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    tiny = build_tiny_kokoro(tmp_path / "tiny")
    broken = tmp_path / "k.onnx"
    broken.write_bytes(b"\xff" * 1000)
    with pytest.raises(StudioError, check=detailed("ONNX")):
        starter.convert_onnx_weights(broken, tmp_path / "k.pth", tiny / "config.json")


def test_voices_become_style_packs(tmp_path: Path) -> None:
    pack = np.random.default_rng(0).normal(size=starter.VOICE_SHAPE).astype("<f4")
    raw = tmp_path / "af_heart.bin"
    raw.write_bytes(pack.tobytes())
    target = starter.convert_voice(raw, tmp_path / "voices" / "af_heart.pt")
    assert np.array_equal(torch.load(target, weights_only=True).numpy(), pack)

    raw.write_bytes(pack.tobytes()[:-4])
    with pytest.raises(StudioError, check=detailed("style pack")):
        starter.convert_voice(raw, tmp_path / "voices" / "short.pt")
    assert not (tmp_path / "voices" / "short.pt").exists()


def test_voices_of_the_japanese_wheel(tmp_path: Path) -> None:
    pack = np.zeros(starter.VOICE_SHAPE, np.float32)
    np.savez(tmp_path / "v.npz", jf_alpha=pack, jm_kumo=pack)
    written = starter.convert_voices_npz(tmp_path / "v.npz", tmp_path / "voices")
    assert [path.name for path in written] == ["jf_alpha.pt", "jm_kumo.pt"]


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    parts = []
    for index, content in enumerate((b"one", b"two", b"three")):
        parts.append(tmp_path / f"{index}.bin")
        parts[-1].write_bytes(content)
    assert starter.join_parts(parts, tmp_path / "all").read_bytes() == b"onetwothree"
