"""Embeddings are the same on every processor, and a process with inexact arithmetic is detected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from bot.adapters.embedded.model import embedding, exactness
from bot.adapters.embedded.model.embedding import (
    BUILT_IN_ID,
    BUILT_IN_INPUT_SIZE,
    BUILT_IN_NAME,
    BuiltInModel,
    CustomModel,
    CustomModelOptions,
    LazyModel,
)
from bot.adapters.embedded.model.onnx_runtime import ort
from bot.domain.errors import SettingsError

SATURATED = Path(__file__).parent / "recorded" / "saturated_embedding.npy"
"""The shipped network's embedding of the reference picture on a processor with AVX2 and without VNNI, recorded from
ONNX Runtime 1.32 with its default settings: its kernels saturated."""


def saturated() -> npt.NDArray[np.float32]:
    return np.asarray(np.load(SATURATED), np.float32)


class SaturatingSession:
    """A fake ONNX Runtime session that returns the saturated embedding of the reference picture."""

    def get_outputs(self) -> list[Any]:
        return [type("Output", (), {"shape": ["batch", 1280]})]

    def run(self, _outputs: None, inputs: dict[str, npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        assert np.array_equal(inputs["pixels"][0], exactness.reference_picture(BUILT_IN_INPUT_SIZE))
        return [saturated()[None]]


def test_this_processor_computes_the_shipped_embedding() -> None:
    model = BuiltInModel()
    vector = model.run([exactness.reference_picture(BUILT_IN_INPUT_SIZE)])[0]
    assert float(vector @ exactness.reference_embedding()) >= exactness.EXACT_COSINE
    assert model.model_id == BUILT_IN_ID


def test_reference_tells_saturation_from_rounding() -> None:
    reference = exactness.reference_embedding()
    assert float(saturated() @ reference) < 0.7
    assert exactness.variant_of(saturated(), reference).startswith("inexact-")
    noise = np.random.default_rng(0).normal(0, 1e-4, reference.shape).astype(np.float32)
    assert exactness.variant_of(reference + noise, reference) == exactness.EXACT


def test_saturating_session_gets_its_own_model_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "open_session", lambda *_, **__: SaturatingSession())
    model = BuiltInModel()
    assert model.model_id != BUILT_IN_ID
    assert model.model_id.startswith(f"{BUILT_IN_NAME}-inexact-")
    assert model.model_id == BuiltInModel().model_id


def test_lazy_model_refuses_inexact_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "open_session", lambda *_, **__: SaturatingSession())
    late = LazyModel()
    for _ in range(2):
        with pytest.raises(SettingsError, match="run `vsearch reindex --all`"):
            late.prepare(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("precision", ["0", "1"])
def test_network_without_8_bit_fusions_gives_nearly_the_same(precision: str) -> None:
    """Each 8-bit operator runs in float, where no kernel can saturate and only rounding differs."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.x64quantprecision", precision)
    network = str(Path(embedding.__file__).parent / embedding.BUILT_IN_FILE)
    session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    vector = session.run(None, {"pixels": exactness.reference_picture(BUILT_IN_INPUT_SIZE)[None]})[0][0]
    assert float(vector @ exactness.reference_embedding()) >= exactness.EXACT_COSINE


def requested(session: ort.InferenceSession) -> bool:
    """Return whether a session was opened with kernels that can't saturate."""
    try:
        return bool(session.get_session_options().get_session_config_entry("session.x64quantprecision") == "1")
    except RuntimeError:  # ONNX Runtime's answer for a setting that was not made
        return False


def saturate_fast_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions with fast kernels saturate, and open the others for real."""
    opened = embedding.open_session

    def open_session(model: bytes | str, *, exact: bool = False) -> Any:
        return opened(model, exact=True) if exact else SaturatingSession()

    monkeypatch.setattr(embedding, "open_session", open_session)


def test_exact_kernels_are_used_where_fast_ones_saturate(monkeypatch: pytest.MonkeyPatch) -> None:
    saturate_fast_kernels(monkeypatch)
    model = BuiltInModel()
    assert requested(model._session)
    assert model.model_id == BUILT_IN_ID


def test_fast_kernels_are_used_where_they_are_exact() -> None:
    assert requested(BuiltInModel()._session) == embedding.kernels_saturate()


def test_fast_and_exact_kernels_give_the_same_embedding() -> None:
    network = str(Path(embedding.__file__).parent / embedding.BUILT_IN_FILE)
    pixels = {"pixels": exactness.reference_picture(BUILT_IN_INPUT_SIZE)[None]}
    exact = embedding.open_session(network, exact=True).run(None, pixels)[0][0]
    assert float(exact @ BuiltInModel()._session.run(None, pixels)[0][0]) >= exactness.EXACT_COSINE


@pytest.mark.parametrize("quantised", [False, True])
def test_custom_network_gets_exact_kernels_if_it_is_quantised_and_fast_ones_saturate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, quantised: bool
) -> None:
    monkeypatch.setattr(embedding, "kernels_saturate", lambda: True)
    assert requested(CustomModel(tiny(tmp_path, quantised=quantised))._session) == quantised


def test_saturation_of_this_processor_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "open_session", lambda *_, **__: SaturatingSession())
    assert embedding.kernels_saturate()


def test_quantised_custom_network_has_the_exact_variant_in_its_id(tmp_path: Path) -> None:
    assert CustomModel(tiny(tmp_path, quantised=True)).model_id.endswith("-exact")
    assert not CustomModel(tiny(tmp_path, quantised=False)).model_id.endswith("-exact")


def tiny(folder: Path, *, quantised: bool) -> CustomModelOptions:
    """Save a network that computes one mean, with or without an 8-bit step before it."""
    nodes = [helper.make_node("ReduceMean", ["middle"], ["out"], axes=[2, 3], keepdims=0)]
    steps: Sequence[onnx.NodeProto] = [helper.make_node("Identity", ["pixels"], ["middle"])]
    if quantised:
        steps = [
            helper.make_node("QuantizeLinear", ["pixels", "scale", "zero"], ["bytes"]),
            helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["middle"]),
        ]
    graph = helper.make_graph(
        [*steps, *nodes],
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 3])],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [], [0.02]),
            helper.make_tensor("zero", TensorProto.UINT8, [], [128]),
        ],
    )
    path = folder / f"{'quantised' if quantised else 'float'}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return CustomModelOptions(path, 32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
