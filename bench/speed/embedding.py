"""Measure one embedding on one thread: preparation and inference, against the bare session on a ready tensor."""

from __future__ import annotations

from importlib import resources

import cv2

from bench.report import Row
from bench.samples import sample_pictures, synthetic
from bench.timing import medians, time_alternately
from bot.adapters.embedded.model.batch_runner import BatchRunner
from bot.adapters.embedded.model.embedding import BUILT_IN_FILE
from bot.adapters.embedded.model.onnx_runtime import ort

ROUNDS = 120
LARGEST = 1023
"""Longest side in pixels of a normalised picture. Preparing such a picture takes longest."""
TARGET, TARGET_MS = 1.15, 10.0


def bare_session() -> ort.InferenceSession:
    """Load the built-in model into onnxruntime alone, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = resources.files("bot.adapters.embedded.model").joinpath(BUILT_IN_FILE)
    return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


async def run() -> list[Row]:
    """Measure the call itself and the call through the batching queue, both against the bare session."""
    model, pixels = synthetic.model(), sample_pictures.query().pixels
    large = cv2.resize(pixels, (LARGEST, LARGEST), interpolation=cv2.INTER_LINEAR)
    prepared = model.prepare(pixels)
    tensor = prepared[None]
    session = bare_session()
    runner = BatchRunner(model, 1)
    try:
        taken = medians(
            await time_alternately(
                {
                    "bare": lambda: session.run(None, {"pixels": tensor}),
                    "called": lambda: model.run([model.prepare(pixels)]),
                    "large": lambda: model.run([model.prepare(large)]),
                    "queued": lambda: runner.embed(model.prepare(pixels)),
                },
                ROUNDS,
            )
        )
    finally:
        await runner.close()
    bare = "bare onnxruntime"
    return [
        Row("embedding, prepare and run", taken["called"], "ms", taken["bare"], bare, TARGET),
        Row("embedding, prepare and run through the queue", taken["queued"], "ms", taken["bare"], bare, TARGET),
        Row(
            f"embedding of {LARGEST} × {LARGEST} px, prepare and run", taken["large"], "ms", taken["bare"], bare, TARGET
        ),
        Row("embedding through the queue, absolute", taken["queued"], "ms", limit=TARGET_MS),
    ]
