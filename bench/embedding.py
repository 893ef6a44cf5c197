"""One embedding, one thread: the model's own preparation and run against the bare session on a ready tensor."""

from __future__ import annotations

from importlib import resources

import cv2

from bench import specimens, synthetic
from bench.report import Row
from bench.timing import in_turns, medians
from bot.adapters.embedded.model.batch_runner import BatchRunner
from bot.adapters.embedded.model.embedding import BUILT_IN_FILE
from bot.adapters.embedded.model.onnx_runtime import ort

ROUNDS = 120
LARGEST = 1023
"""The longest side of a picture that was verified: preparing it costs most."""
BAR, BAR_MS = 1.15, 10.0


def bare_session() -> ort.InferenceSession:
    """The built-in model as onnxruntime alone runs it, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = resources.files("bot.adapters.embedded.model").joinpath(BUILT_IN_FILE)
    return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


async def run() -> list[Row]:
    """The call itself, the same through the batching queue, and both against the bare session."""
    model, pixels = synthetic.model(), specimens.query().pixels
    large = cv2.resize(pixels, (LARGEST, LARGEST), interpolation=cv2.INTER_LINEAR)
    prepared = model.prepare(pixels)
    tensor = prepared[None]
    session = bare_session()
    runner = BatchRunner(model, 1)
    try:
        taken = medians(
            await in_turns(
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
        Row("embedding, prepare and run", taken["called"], "ms", taken["bare"], bare, BAR),
        Row("embedding, prepare and run through the queue", taken["queued"], "ms", taken["bare"], bare, BAR),
        Row(f"embedding of {LARGEST} × {LARGEST} px, prepare and run", taken["large"], "ms", taken["bare"], bare, BAR),
        Row("embedding through the queue, absolute", taken["queued"], "ms", limit=BAR_MS),
    ]
