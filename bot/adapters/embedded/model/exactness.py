"""Detects processors on which the built-in network gives other embeddings than the shipped ones.

The built-in network is quantised to 8 bit. On x86-64 processors with AVX2 but without VNNI, ONNX Runtime's fast kernels
add pairs of products in 16 bit and saturate. Over 40 photographs, their embeddings had a mean cosine of 0.963 (at worst
0.828) to those of the float network; exact arithmetic has 0.993 (0.982). Vectors of both kinds must never be compared.
Each process therefore embeds one reference picture when it loads the network. The result is part of the model id, which
each database stores.
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
"""Least cosine between a process's embedding of the reference picture and the shipped one for exact arithmetic.

Exact kernels differ only by rounding: 0.99999 between AVX2, AVX-512 VNNI and ARM (NEON, with and without dot product).
Saturating kernels give 0.66 on this picture.
"""

EXACT = "exact"

INEXACT = (
    "This processor computes other embeddings than the built-in model was shipped with. Use another machine, or run "
    "`vsearch reindex --all` here and set VSEARCH_ROLE to `all`."
)
"""The error of a process that requires exact arithmetic but doesn't have it."""

_STEPS = 16
"""Scale at which embeddings are rounded before they are hashed into the name of an inexact variant."""


def reference_picture(side: int) -> Pixels:
    """Return two checkerboards and a ramp, ``side`` × ``side`` × 3, uint8. Hard edges make 8-bit kernels saturate."""
    y, x = np.mgrid[0:side, 0:side]
    coarse, fine = (x // 28 + y // 28) % 2 * 255, (x // 14 + y // 28) % 2 * 255
    return np.stack((coarse, fine, x % 256), axis=-1).astype(np.uint8)


def reference_embedding() -> Vector:
    """Return the shipped embedding of the reference picture (float32), computed with exact arithmetic."""
    path = resources.files("bot.adapters.embedded.model").joinpath(REFERENCE)
    with path.open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False), np.float32)


def variant_of(embedding: Vector, reference: Vector) -> str:
    """Return the name of a process's numeric variant, ``exact`` or ``inexact-…``.

    ``embedding`` is the process's embedding of the reference picture, ``reference`` the shipped one. Both have L2 norm
    1. Inexact processes whose embeddings differ get different names.
    """
    if float(embedding @ reference) >= EXACT_COSINE:
        return EXACT
    digest = hashlib.blake2b(np.rint(embedding * _STEPS * len(embedding) ** 0.5).astype("<i2").tobytes(), digest_size=4)
    return f"in{EXACT}-{digest.hexdigest()}"
