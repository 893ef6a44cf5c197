"""Embedding models: the built-in file is the shipped one, and custom models are checked before use."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bot.adapters.embedded.model import embedding
from bot.adapters.embedded.model.embedding import (
    BUILT_IN_FILE,
    BUILT_IN_SHA256,
    BuiltInModel,
    CustomModel,
    CustomModelOptions,
    LazyModel,
)
from bot.domain.errors import SettingsError
from tests.fixtures.scenes import scene

Pixels = npt.NDArray[np.uint8]

SIDE = 32
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def built_in() -> BuiltInModel:
    return BuiltInModel()


def pixels_of(seed: int, size: tuple[int, int] = (480, 360)) -> Pixels:
    return np.asarray(scene(seed, size))


def embedded(model: BuiltInModel | CustomModel, *pictures: Pixels) -> npt.NDArray[np.float32]:
    return model.run([model.prepare(pixels) for pixels in pictures])


def test_shipped_file_matches_the_code_and_the_notice() -> None:
    folder = resources.files("bot.adapters.embedded.model")
    assert hashlib.sha256(folder.joinpath(BUILT_IN_FILE).read_bytes()).hexdigest() == BUILT_IN_SHA256
    assert BUILT_IN_SHA256 in folder.joinpath("NOTICE").read_text()


def test_damaged_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(resources.files("bot.adapters.embedded.model").joinpath(BUILT_IN_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / BUILT_IN_FILE).write_bytes(data)
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    with pytest.raises(SettingsError, match="damaged: install vsearch again"):
        BuiltInModel()


def test_embeddings_have_norm_1_and_1280_dimensions(built_in: BuiltInModel) -> None:
    vectors = embedded(built_in, *(pixels_of(seed) for seed in range(3)))
    assert vectors.shape == (3, built_in.dimensions) == (3, 1280)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_batch_gives_the_same_as_single_pictures(built_in: BuiltInModel) -> None:
    pictures = [pixels_of(seed) for seed in range(4)]
    together, alone = embedded(built_in, *pictures), [embedded(built_in, one)[0] for one in pictures]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-3)
    np.testing.assert_array_equal(together, embedded(built_in, *pictures))


def test_small_copy_is_nearer_than_another_picture(built_in: BuiltInModel) -> None:
    small = np.asarray(scene(1).resize((160, 120)))
    original, copy, other = embedded(built_in, pixels_of(1), small, pixels_of(2))
    assert float(original @ copy) > 0.8
    assert float(original @ copy) > float(original @ other) + 0.1


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (1023, 3), (224, 224), (256, 256)])
@pytest.mark.parametrize("value", [0, 255, None])
def test_flat_and_odd_pictures_have_an_embedding(
    built_in: BuiltInModel, size: tuple[int, int], value: int | None
) -> None:
    pixels = np.full((*size, 3), value or 0, np.uint8)
    if value is None:
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    vector = embedded(built_in, pixels)[0]
    assert np.isfinite(vector).all()
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-3)


def test_centre_crop_keeps_the_aspect_ratio() -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 255
    assert embedding.centre_crop(wide, 50).min() == 255
    assert embedding.centre_crop(np.ascontiguousarray(wide.transpose(1, 0, 2)), 50).shape == (50, 50, 3)


# -- custom models -----------------------------------------------------------------------------------------------------


def save(
    path: Path, nodes: list[onnx.NodeProto], batch: int | str, output: list[int | str], kind: int = TensorProto.FLOAT
) -> CustomModelOptions:
    """Save a network with one input, ``pixels``, and one output, ``out``."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", kind, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)],
        [
            numpy_helper.from_array(np.array([0, 1, 2, 0], np.int64), "four"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
            numpy_helper.from_array(np.array(-1.0, np.float32), "minus_one"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return CustomModelOptions(path, SIDE, MEAN, STD)


def means(out: str = "out") -> onnx.NodeProto:
    """Return a node that computes the mean of each channel: batch × 3."""
    return helper.make_node("ReduceMean", ["pixels"], [out], axes=[2, 3], keepdims=0)


def colour_means(folder: Path, batch: int | str) -> CustomModelOptions:
    return save(folder / "means.onnx", [means()], batch, [batch, 3])


@pytest.mark.parametrize("batch", [1, "batch"])
def test_mean_and_deviation_are_applied_to_each_channel(tmp_path: Path, batch: int | str) -> None:
    model = CustomModel(colour_means(tmp_path, batch))
    pictures = [np.full((40, 60, 3), colour, np.uint8) for colour in ((255, 0, 0), (10, 200, 90), (0, 0, 0))]
    vectors = embedded(model, *pictures)
    expected = np.stack([(one[0, 0] / 255 - np.array(MEAN)) / np.array(STD) for one in pictures])
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    assert vectors.dtype == np.float32
    assert model.dimensions == 3


def test_token_outputs_use_the_first_token(tmp_path: Path) -> None:
    """batch × 3 → batch × 4 tokens × 1; the first of them is red."""
    nodes = [
        means("channels"),
        helper.make_node("Gather", ["channels", "four"], ["tokens"], axis=1),
        helper.make_node("Unsqueeze", ["tokens", "last"], ["out"]),
    ]
    model = CustomModel(save(tmp_path / "tokens.onnx", nodes, "batch", ["batch", 4, 1]))
    assert model.dimensions == 1
    red, black = (np.full((8, 8, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 0)))
    assert embedded(model, red, black).ravel().tolist() == [1.0, -1.0]


def test_id_depends_on_the_model_and_its_settings(tmp_path: Path) -> None:
    options = colour_means(tmp_path, "batch")
    same, other_mean = CustomModel(options), CustomModel(dataclasses.replace(options, mean=(0.1, 0.1, 0.1)))
    assert same.model_id == CustomModel(options).model_id
    other_file = CustomModel(colour_means(tmp_path, 1))
    assert len({same.model_id, other_mean.model_id, other_file.model_id, BuiltInModel().model_id}) == 4


def refused(options: CustomModelOptions) -> str:
    with pytest.raises(SettingsError) as caught:
        CustomModel(options)
    assert len(caught.value.problems) == 1
    sentence = caught.value.problems[0]
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert str(options.path.parent) not in sentence
    return sentence


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert "VSEARCH_MODEL_PATH: none.onnx" in refused(CustomModelOptions(tmp_path / "none.onnx", SIDE, MEAN, STD))


def test_folder_and_garbage_are_refused(tmp_path: Path) -> None:
    refused(CustomModelOptions(tmp_path, SIDE, MEAN, STD))
    (tmp_path / "x.onnx").write_bytes(b"no model")
    refused(CustomModelOptions(tmp_path / "x.onnx", SIDE, MEAN, STD))


def test_wrong_input_size_is_refused(tmp_path: Path) -> None:
    refused(dataclasses.replace(colour_means(tmp_path, "batch"), size=64))


def test_input_of_another_type_is_refused(tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT)
    mean = helper.make_node("ReduceMean", ["float"], ["out"], axes=[2, 3], keepdims=0)
    refused(save(tmp_path / "ints.onnx", [cast, mean], "batch", ["batch", 3], TensorProto.UINT8))


def test_fixed_batch_size_above_one_is_refused(tmp_path: Path) -> None:
    refused(colour_means(tmp_path, 4))


def test_outputs_other_than_an_embedding_are_refused(tmp_path: Path) -> None:
    flat = helper.make_node("ReduceMean", ["pixels"], ["out"], axes=[0, 2, 3], keepdims=0)
    refused(save(tmp_path / "one_for_all.onnx", [flat], "batch", [3]))
    mean = helper.make_node("ReduceMean", ["pixels"], ["out"], axes=[0, 2, 3], keepdims=1)
    refused(save(tmp_path / "map.onnx", [mean], "batch", [1, 3, 1, 1]))
    pooled = [helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[0, 2], keepdims=1)]
    pooled.append(helper.make_node("ReduceMean", ["mean"], ["out"], axes=[2, 3], keepdims=0))
    refused(save(tmp_path / "one_row.onnx", pooled, "batch", [1, 3]))


def test_non_finite_outputs_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Abs", ["pixels"], ["positive"]),
        helper.make_node("Mul", ["positive", "minus_one"], ["negative"]),
        helper.make_node("Sqrt", ["negative"], ["roots"]),
        helper.make_node("ReduceMean", ["roots"], ["out"], axes=[2, 3], keepdims=0),
    ]
    refused(save(tmp_path / "nan.onnx", nodes, "batch", ["batch", 3]))


@pytest.mark.parametrize("std", [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, float("nan"))])
def test_deviation_not_above_0_is_refused(tmp_path: Path, std: tuple[float, float, float]) -> None:
    assert "VSEARCH_MODEL_STD" in refused(dataclasses.replace(colour_means(tmp_path, 1), std=std))


def test_non_finite_mean_is_refused(tmp_path: Path) -> None:
    options = dataclasses.replace(colour_means(tmp_path, 1), mean=(0.1, float("nan"), 0.1))
    assert "VSEARCH_MODEL_MEAN" in refused(options)


def test_loading_the_model_sends_no_telemetry_and_writes_no_home_files(tmp_path: Path) -> None:
    # ONNX Runtime sends telemetry by default, except in CI. So hide from this process that it may run in CI.
    program = "from bot.adapters.embedded.model.embedding import BuiltInModel; BuiltInModel()"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    root = Path(__file__).parents[5]
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=root, timeout=60)
    assert list(tmp_path.rglob("*")) == []


def test_lazy_model_loads_the_built_in_model_once() -> None:
    loads = []

    def load() -> BuiltInModel:
        loads.append(1)
        return BuiltInModel()

    late, known = LazyModel(load), BuiltInModel()
    assert (late.model_id, late.dimensions, loads) == (known.model_id, known.dimensions, [])
    grey = np.full((300, 200, 3), 90, np.uint8)
    for _ in range(2):
        assert np.array_equal(late.run([late.prepare(grey)]), known.run([known.prepare(grey)]))
    assert loads == [1]
