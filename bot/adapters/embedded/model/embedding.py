"""Embedding models: ONNX networks that turn a picture into a vector."""

from __future__ import annotations

import hashlib
import math
import mmap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from bot.adapters.embedded.model import exactness
from bot.adapters.embedded.model.onnx_runtime import ort
from bot.adapters.embedded.ports import CUSTOM_MODEL
from bot.domain.errors import SettingsError

Pixels = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]

BUILT_IN_FILE = "efficientnet_lite2_gem.int8.onnx"
BUILT_IN_SHA256 = "25b7ec93b60897aef147f1f99f6072cc63dca5cea8125c7212dbc8b5dcbb68d4"
BUILT_IN_INPUT_SIZE = 224
BUILT_IN_NAME = f"lite2-gem-int8-{BUILT_IN_SHA256[:8]}"
BUILT_IN_ID = f"{BUILT_IN_NAME}-{exactness.EXACT}"
"""The model id of a process with exact arithmetic: the network's name and the numeric variant."""

BUILT_IN_DIMENSIONS = 1280

_EXACT_ON_X64 = "session.x64quantprecision"
"""ONNX Runtime's setting that multiplies 8-bit weights as unsigned numbers, with kernels that can't saturate."""

_QUANTISED = (b"QuantizeLinear", b"QLinear", b"Integer")
"""Parts of the names of 8-bit operators in an ONNX file."""

_CROP = 224 / 256
"""Share of the picture's short side that is cropped, as in the network's training."""


class EmbeddingModel(Protocol):
    """Turns prepared pictures into vectors. Thread-safe."""

    model_id: str
    dimensions: int

    def prepare(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return one RGB picture (height × width × 3, uint8) as the network's input."""
        ...

    def run(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return pictures × dimensions, float32, each row of L2 norm 1."""
        ...


class TimedModel:
    """Wraps a model and passes the time of each run, in seconds for each picture, to ``observe``."""

    def __init__(self, model: EmbeddingModel, observe: Callable[[float], None]) -> None:
        self._model = model
        self._observe = observe
        self.model_id, self.dimensions = model.model_id, model.dimensions

    def prepare(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return one picture as the network's input."""
        return self._model.prepare(pixels)

    def run(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return pictures × dimensions, float32, each row of L2 norm 1."""
        started = time.perf_counter()
        vectors = self._model.run(prepared)
        self._observe((time.perf_counter() - started) / max(len(prepared), 1))
        return vectors


def centre_crop(pixels: Pixels, side: int, share: float = _CROP) -> Pixels:
    """Return the middle square of a picture, scaled to ``side`` × ``side`` × 3. The aspect ratio is kept.

    ``share`` is the square's part of the short side.
    """
    height, width = pixels.shape[:2]
    length = max(1, round(min(height, width) * share))
    top, left = (height - length) // 2, (width - length) // 2
    return _scaled(pixels[top : top + length, left : left + length], side)


def _scaled(square: Pixels, side: int) -> Pixels:
    if min(square.shape[:2]) > 2 * side:
        # Scale in two fast steps, the second an exact halving. Averaging over fractions of pixels would be slow.
        square = cv2.resize(square, (2 * side, 2 * side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def open_session(model: bytes | str, *, exact: bool = False) -> ort.InferenceSession:
    """Open a network from its content or path, with one thread.

    ``exact`` selects kernels that can't saturate on any processor. One embedding takes 13 % longer with them on AVX2,
    and twice as long on AVX-512 VNNI, whose fast kernels are exact already.
    """
    options = ort.SessionOptions()
    # At this size, running pictures in parallel is faster than running layers in parallel, and it bounds the threads.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if exact:
        options.add_session_config_entry(_EXACT_ON_X64, "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _is_quantised(file: BinaryIO) -> bool:
    """Return whether an ONNX file has 8-bit operators. Raises ValueError for an empty file."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(part) >= 0 for part in _QUANTISED)


def _read_built_in() -> bytes:
    """Return the shipped network. Raises SettingsError if the file differs from the one that was shipped."""
    data = resources.files("bot.adapters.embedded.model").joinpath(BUILT_IN_FILE).read_bytes()
    if hashlib.sha256(data).hexdigest() != BUILT_IN_SHA256:
        raise SettingsError((f"The built-in model {BUILT_IN_FILE} is damaged: install vsearch again.",))
    return data


def _variant_of(session: ort.InferenceSession) -> str:
    """Return the numeric variant that a session of the built-in network computes on this processor."""
    picture = exactness.reference_picture(BUILT_IN_INPUT_SIZE)
    embedding = np.asarray(session.run(None, {"pixels": picture[None]})[0][0], np.float32)
    return exactness.variant_of(embedding, exactness.reference_embedding())


def kernels_saturate() -> bool:
    """Return whether ONNX Runtime's fast 8-bit kernels give inexact results on this processor.

    Raises SettingsError if the built-in network, which serves as the test, is damaged.
    """
    return _variant_of(open_session(_read_built_in())) != exactness.EXACT


class BuiltInModel:
    """The model that comes with the package: EfficientNet-Lite2 with GeM pooling, 8 bit, 1280 dimensions."""

    def __init__(self) -> None:
        """Load the network. Raises SettingsError if the file differs from the shipped one."""
        data = _read_built_in()
        self._session = open_session(data)
        variant = _variant_of(self._session)
        if variant != exactness.EXACT:
            self._session = open_session(data, exact=True)
            variant = _variant_of(self._session)
        self.dimensions = int(self._session.get_outputs()[0].shape[1])
        self.model_id = f"{BUILT_IN_NAME}-{variant}"

    def prepare(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return the middle square, 224 × 224 × 3, uint8. The network itself normalises it."""
        return centre_crop(pixels, BUILT_IN_INPUT_SIZE)

    def run(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return pictures × 1280, float32, each row of L2 norm 1."""
        return np.asarray(self._session.run(None, {"pixels": np.stack(prepared)})[0], np.float32)


class LazyModel:
    """The built-in model, loaded on first use. Processes that leave pictures to workers never load it."""

    model_id = BUILT_IN_ID
    dimensions = BUILT_IN_DIMENSIONS

    def __init__(self, load: Callable[[], EmbeddingModel] = BuiltInModel) -> None:
        self._load = load
        self._loaded: EmbeddingModel | None = None
        self._lock = threading.Lock()

    def prepare(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return one picture as the network's input.

        Raises SettingsError if the model can't be loaded or this processor's arithmetic is not exact.
        """
        return self._model().prepare(pixels)

    def run(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return pictures × dimensions, float32, each row of L2 norm 1."""
        return self._model().run(prepared)

    def _model(self) -> EmbeddingModel:
        with self._lock:
            if self._loaded is None:
                loaded = self._load()
                if loaded.model_id != self.model_id:
                    raise SettingsError((exactness.INEXACT,))
                self._loaded = loaded
            return self._loaded


@dataclass(frozen=True, slots=True)
class CustomModelOptions:
    """The file of a custom model and its preprocessing.

    ``size`` is the side of the input in pixels. ``mean`` and ``std`` normalise each RGB channel, scaled to 0 to 1.
    ``fit`` says how a picture becomes a square: ``crop`` takes the middle 7/8 of its short side, ``square`` all of it,
    and ``stretch`` scales the whole picture, whatever its shape. ``output`` names the output that is the embedding;
    empty for the first.
    """

    path: Path
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: str = "crop"
    output: str = ""


class CustomModel:
    """An ONNX network of the operator's, with one input, batch × 3 × size × size, float32 or float16.

    The chosen output is the embedding, batch × dimensions. If it is batch × tokens × dimensions, as in vision
    transformers, the first token is the embedding.
    """

    def __init__(self, options: CustomModelOptions) -> None:
        """Load the network and run it once. Raises SettingsError if it can't be used."""
        if not all(math.isfinite(mean) for mean in options.mean):
            raise SettingsError(("VSEARCH_MODEL_MEAN must be three finite numbers.",))
        if not all(0 < deviation < math.inf for deviation in options.std):
            raise SettingsError(("VSEARCH_MODEL_STD must be three numbers above 0.",))
        self._size, self._fit = options.size, options.fit
        # (x / 255 − mean) / std as one multiplication and one addition.
        std = np.array(options.std, np.float32)
        self._scale = (1 / 255 / std).astype(np.float32)
        self._offset = (np.array(options.mean, np.float32) / std).astype(np.float32)
        try:
            with options.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256")
                quantised = _is_quantised(file)
            # Opened by path, because large models keep their weights in files beside it.
            self._session = open_session(str(options.path), exact=quantised and kernels_saturate())
            self._input = self._session.get_inputs()[0]
            self._type = np.float16 if self._input.type == "tensor(float16)" else np.float32
            self._output = options.output or self._session.get_outputs()[0].name
            black = self.prepare(np.zeros((8, 8, 3), np.uint8))
            self.dimensions = int(self.run([black, black]).shape[1])
        except Exception as exc:
            raise SettingsError(
                (f"VSEARCH_MODEL_PATH: {options.path.name} can't be used as an embedding model with these settings.",)
            ) from exc
        digest.update(f"{options.size}/{options.mean}/{options.std}".encode())
        if (options.fit, options.output) != ("crop", ""):
            # Left out of the id for the defaults, so that databases from before these options keep their model.
            digest.update(f"/{options.fit}/{options.output}".encode())
        # Before arithmetic was exact, quantised networks gave other embeddings on some processors. So the id changed.
        variant = f"-{exactness.EXACT}" if quantised else ""
        self.model_id = f"{CUSTOM_MODEL}{digest.hexdigest()[:16]}{variant}"

    def prepare(self, pixels: Pixels) -> npt.NDArray[Any]:
        """Return the picture as a square, 3 × size × size, normalised, in the input's type."""
        if self._fit == "stretch":
            square = _scaled(pixels, self._size)
        else:
            square = centre_crop(pixels, self._size, 1.0 if self._fit == "square" else _CROP)
        normalised = square.astype(np.float32) * self._scale - self._offset
        return np.ascontiguousarray(normalised.transpose(2, 0, 1), self._type)

    def run(self, prepared: Sequence[npt.NDArray[Any]]) -> Vectors:
        """Return pictures × dimensions, float32, each row of L2 norm 1."""
        if self._input.shape[0] == 1:
            outputs = np.concatenate([self._run(picture[None]) for picture in prepared])
        else:
            outputs = self._run(np.stack(prepared))
        return np.asarray(outputs / np.maximum(np.linalg.norm(outputs, axis=1, keepdims=True), 1e-12), np.float32)

    def _run(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        output = np.asarray(self._session.run([self._output], {self._input.name: batch})[0], np.float32)
        if output.ndim == 3:  # noqa: PLR2004 - tokens of a vision transformer
            output = output[:, 0]
        if output.ndim != 2 or len(output) != len(batch) or not np.isfinite(output).all():  # noqa: PLR2004
            raise ValueError("not an embedding")
        return output
