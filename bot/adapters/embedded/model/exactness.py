"""Whether this processor computes the numbers that a network was shipped with.

The built-in network is quantised to 8 bit. On x86-64 processors with AVX2 but without VNNI, ONNX Runtime's fast kernels
add pairs of products in 16 bit and saturate: over 40 photographs the embeddings had a cosine of 0.963 (at worst 0.828)
to the float network's, where exact arithmetic has 0.993 (0.982). Vectors of both kinds must never be compared, so each
process embeds one reference picture when it loads the network, and a database remembers which numbers it holds.
"""

from __future__ import annotations

import hashlib
from importlib import resources

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float32]

REFERENCE = "reference_embedding.npy"
"""The exact embedding of ``reference_picture()``, float16, written by ``scripts/build_model.py``."""

EXACT_COSINE = 0.999
"""Least cosine to the reference of a process whose numbers are exact.

Exact kernels differ by rounding alone: 0.99999 between AVX2, AVX-512 VNNI and ARM (NEON, with and without dot product).
Saturating ones give 0.66 on this picture.
"""

EXACT = "exact"

INEXACT = (
    "This processor computes other embeddings than the ones the built-in model was shipped with; run `vsearch doctor`."
)
"""Said by a process that counted on exact numbers and does not compute them."""

_STEPS = 16
"""Vector components are compared at a sixteenth when inexact numbers get a name."""


def reference_picture(side: int) -> Pixels:
    """Two checkerboards and a ramp, ``side`` × ``side`` × 3: hard edges drive 8-bit kernels to their limits."""
    y, x = np.mgrid[0:side, 0:side]
    coarse, fine = (x // 28 + y // 28) % 2 * 255, (x // 14 + y // 28) % 2 * 255
    return np.stack((coarse, fine, x % 256), axis=-1).astype(np.uint8)


def reference_embedding() -> Vector:
    """The shipped network's embedding of the reference picture, where arithmetic is exact."""
    path = resources.files("bot.adapters.embedded.model").joinpath(REFERENCE)
    with path.open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False), np.float32)


def variant_of(embedding: Vector, reference: Vector) -> str:
    """Name the numbers of a process by its embedding of the reference picture: ``exact``, or ``inexact-…``.

    Processes whose inexact numbers differ from each other's get different names. Both vectors have L2 norm 1.
    """
    if float(embedding @ reference) >= EXACT_COSINE:
        return EXACT
    digest = hashlib.blake2b(np.rint(embedding * _STEPS * len(embedding) ** 0.5).astype("<i2").tobytes(), digest_size=4)
    return f"in{EXACT}-{digest.hexdigest()}"
