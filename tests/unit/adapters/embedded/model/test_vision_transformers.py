"""Operators' stronger models: networks of the shape that DINOv2 and SigLIP 2 have when they are exported to ONNX.

The weights are random: this proves input, preprocessing, pooling and output, which docs/models.md describes.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import CustomModel, CustomModelOptions
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.app.back_ends.embedded import load_model
from bot.config.settings import Settings
from bot.domain.errors import SettingsError
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.matches import Verdict
from bot.images.decode.normaliser import PictureLimits, normalise
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import scene

SIDE, PATCH, WIDTH = 64, 16, 24
TOKENS = (SIDE // PATCH) ** 2
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

Array = npt.NDArray[np.float32]


def export(path: Path, *, class_token: bool, kind: int = TensorProto.FLOAT) -> Path:
    """Save a vision transformer of one block: patches, attention and MLP with residuals, norm, and a pooled output.

    With ``class_token`` it is like DINOv2, whose first token stands for the picture. Without, it is like SigLIP 2,
    whose tokens are patches and whose ``pooler_output`` stands for the picture.
    """
    rng = np.random.default_rng(7)
    numpy_type = np.float16 if kind == TensorProto.FLOAT16 else np.float32

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((rng.normal(size=shape) / np.sqrt(shape[-1])).astype(numpy_type), name)

    constants = [
        weights("patch", WIDTH, 3, PATCH, PATCH),
        weights("class", 1, 1, WIDTH),
        weights("probe", WIDTH, 1),
        *(weights(name, WIDTH, WIDTH) for name in ("query", "key", "value", "mlp")),
        numpy_helper.from_array(np.ones(WIDTH, numpy_type), "one"),
        numpy_helper.from_array(np.array([0, WIDTH, TOKENS], np.int64), "flat"),
        numpy_helper.from_array(np.array([0], np.int64), "first"),
        numpy_helper.from_array(np.array([1], np.int64), "second"),
        numpy_helper.from_array(np.array([2], np.int64), "third"),
    ]
    node = helper.make_node
    tokens = [
        node("Conv", ["pixel_values", "patch"], ["map"], strides=[PATCH, PATCH]),
        node("Reshape", ["map", "flat"], ["columns"]),
        node("Transpose", ["columns"], ["patches"], perm=[0, 2, 1]),
    ]
    if class_token:
        # One class token for each picture of the batch.
        tokens += [
            node("Shape", ["pixel_values"], ["batch"], start=0, end=1),
            node("Concat", ["batch", "second", "second"], ["repeats"], axis=0),
            node("Expand", ["class", "repeats"], ["classes"]),
            node("Concat", ["classes", "patches"], ["tokens"], axis=1),
        ]
    else:
        tokens += [node("Identity", ["patches"], ["tokens"])]
    block = [
        *(node("MatMul", ["tokens", name], [f"{name}s"]) for name in ("query", "key", "value")),
        node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        node("MatMul", ["querys", "turned"], ["logits"]),
        node("Softmax", ["logits"], ["attention"], axis=-1),
        node("MatMul", ["attention", "values"], ["attended"]),
        node("Add", ["tokens", "attended"], ["residual"]),
        node("MatMul", ["residual", "mlp"], ["hidden"]),
        node("Tanh", ["hidden"], ["active"]),
        node("Add", ["residual", "active"], ["deep"]),
        node("LayerNormalization", ["deep", "one"], ["last_hidden_state"], axis=-1),
    ]
    pooled = (
        [node("Gather", ["last_hidden_state", "first"], ["chosen"], axis=1)]
        if class_token
        else [
            node("MatMul", ["last_hidden_state", "probe"], ["relevance"]),
            node("Softmax", ["relevance"], ["shares"], axis=1),
            node("Mul", ["last_hidden_state", "shares"], ["weighted"]),
            node("ReduceSum", ["weighted", "second"], ["chosen"]),
        ]
    )
    pooled += [node("Squeeze", ["chosen", "second"], ["pooler_output"])]
    graph = helper.make_graph(
        [*tokens, *block, *pooled],
        "vit",
        [helper.make_tensor_value_info("pixel_values", kind, ["batch", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("last_hidden_state", kind, ["batch", "tokens", WIDTH]),
            helper.make_tensor_value_info("pooler_output", kind, ["batch", WIDTH]),
        ],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def reference(path: Path, square: npt.NDArray[np.uint8], output: str, norm: tuple[tuple[float, ...], ...]) -> Array:
    """Run the export as its own project would: RGB, channels first, normalised."""
    mean, std = np.array(norm)
    tensor = ((square / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run([output], {"pixel_values": tensor})[0][0]
    vector = found[0] if found.ndim == 2 else found
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def picture(size: tuple[int, int], seed: int = 3) -> npt.NDArray[np.uint8]:
    return np.asarray(scene(seed, size))


def embedded(options: CustomModelOptions, pixels: npt.NDArray[np.uint8]) -> Array:
    model = CustomModel(options)
    return np.asarray(model.run([model.prepare(pixels), model.prepare(pixels[::-1])])[0], np.float32)


def test_export_like_dinov2_is_read_by_its_class_token(tmp_path: Path) -> None:
    path = export(tmp_path / "dinov2.onnx", class_token=True)
    pixels = picture((96, 128))
    height = round(min(pixels.shape[:2]) * 7 / 8)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - height) // 2
    square = np.asarray(cv2.resize(pixels[top : top + height, left : left + height], (SIDE, SIDE)), np.uint8)
    expected = reference(path, square, "last_hidden_state", IMAGENET)
    found = embedded(CustomModelOptions(path, SIDE, *IMAGENET), pixels)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(found, reference(path, square, "pooler_output", IMAGENET), atol=1e-4)


def test_export_like_siglip_is_read_by_its_pooled_output_from_the_whole_picture(tmp_path: Path) -> None:
    path = export(tmp_path / "siglip.onnx", class_token=False)
    pixels = picture((96, 128))
    square = np.asarray(cv2.resize(pixels, (SIDE, SIDE)), np.uint8)
    expected = reference(path, square, "pooler_output", HALF)
    options = CustomModelOptions(path, SIDE, *HALF, fit="stretch", output="pooler_output")
    np.testing.assert_allclose(embedded(options, pixels), expected, atol=1e-4)
    # Its first token is a patch of the corner and stands for nothing.
    first = embedded(CustomModelOptions(path, SIDE, *HALF, fit="stretch"), pixels)
    assert float(first @ expected) < 0.99


def test_whole_middle_square_can_be_used(tmp_path: Path) -> None:
    path = export(tmp_path / "dinov2.onnx", class_token=True)
    pixels = picture((96, 128))
    side, long = min(pixels.shape[:2]), max(pixels.shape[:2])
    cut = slice((long - side) // 2, (long - side) // 2 + side)
    square = pixels[:, cut] if pixels.shape[1] == long else pixels[cut]
    expected = reference(path, np.asarray(cv2.resize(square, (SIDE, SIDE)), np.uint8), "pooler_output", IMAGENET)
    found = embedded(CustomModelOptions(path, SIDE, *IMAGENET, fit="square"), pixels)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_half_precision_export_is_used(tmp_path: Path) -> None:
    options = CustomModelOptions(
        export(tmp_path / "half.onnx", class_token=True, kind=TensorProto.FLOAT16), SIDE, *IMAGENET
    )
    full = CustomModelOptions(export(tmp_path / "full.onnx", class_token=True), SIDE, *IMAGENET)
    pixels = picture((96, 96))
    found = embedded(options, pixels)
    assert found.dtype == np.float32
    assert float(found @ embedded(full, pixels)) > 0.99


def test_unknown_output_is_refused(tmp_path: Path) -> None:
    path = export(tmp_path / "siglip.onnx", class_token=False)
    with pytest.raises(SettingsError):
        CustomModel(CustomModelOptions(path, SIDE, *HALF, output="image_embeds"))


def test_models_of_other_options_have_other_ids_and_defaults_keep_theirs(tmp_path: Path) -> None:
    path = export(tmp_path / "dinov2.onnx", class_token=True)
    ids = {
        CustomModel(CustomModelOptions(path, SIDE, *IMAGENET, fit=fit, output=output)).model_id
        for fit in ("crop", "square", "stretch")
        for output in ("", "pooler_output")
    }
    assert len(ids) == 6


async def test_operators_model_searches_and_calibrates_itself(storage: SqlStorage, tmp_path: Path) -> None:
    path = export(tmp_path / "siglip.onnx", class_token=False)
    settings = Settings(
        data_dir=tmp_path,
        model_path=path,
        model_size=SIDE,
        model_mean=HALF[0],
        model_std=HALF[1],
        model_fit="stretch",
        model_output="pooler_output",
    )
    extractor = PictureFeatureExtractor(load_model(settings), 1)
    try:
        visual = EmbeddedSearch(storage.vectors, extractor, GeometricVerifier(), index_memory_bytes=2**20)
        key = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
        await visual.create_database(key)
        async with storage.unit():
            for seed in range(100):
                content = encoded(scene(seed, (96, 96)), "PNG")
                await visual.add_image(key, normalise(content, PictureLimits()), EntityId(f"part_{seed}"), Note())
        assert await visual.self_calibrate(key) == 100
        query = normalise(encoded(scene(5, (96, 96)), "PNG"), PictureLimits())
        best, second, *_ = await visual.search(key, query)
        assert (best.entity, best.verdict) == ("part_5", Verdict.SAME)
        assert second.score < 9
    finally:
        await extractor.close()
