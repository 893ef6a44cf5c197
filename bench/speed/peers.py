"""Libraries for exact nearest-neighbour search, called directly with one query.

faiss and numkong use one thread for one query. usearch can use all cores, so it is measured with one thread and with
all. The bar is the fastest call in one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numkong
import numpy as np
import numpy.typing as npt
from usearch.index import MetricKind
from usearch.index import search as usearch_exact

from bench.samples.synthetic import Floats, Halves

ENGINE = "faiss SQ float16"
"""The library that the engine uses."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A bare call.

    ``as_stored``: whether it holds the vectors in float16, as the database does. ``threads``: 0 for all cores.
    """

    name: str
    call: Callable[[], object]
    as_stored: bool
    threads: int = 1

    @property
    def is_bar(self) -> bool:
        """Whether the engine is compared with it: it searches the stored vectors in one thread."""
        return self.as_stored and self.threads == 1


def peers(vectors: Halves, query: Floats, count: int) -> list[Peer]:
    """Return the peers, each with its own index of the same vectors if it needs one."""
    faiss.omp_set_num_threads(1)
    rows, dimensions = vectors.shape
    flat = faiss.IndexFlatIP(dimensions)
    single = vectors.astype(np.float32)
    flat.add(single)
    half = faiss.IndexScalarQuantizer(dimensions, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    half.add_sa_codes(vectors.view(np.uint8).reshape(rows, -1))
    query_half = query.astype(np.float16)

    def usearch(rows: npt.NDArray[Any], one: npt.NDArray[Any], threads: int) -> Callable[[], object]:
        return lambda: usearch_exact(rows, one, count, MetricKind.IP, exact=True, threads=threads)

    return [
        Peer(ENGINE, lambda: half.search(query, count), as_stored=True),
        Peer("faiss flat float32", lambda: flat.search(query, count), as_stored=False),
        Peer("usearch float16", usearch(vectors, query_half, 1), as_stored=True),
        Peer("usearch float16, all cores", usearch(vectors, query_half, 0), as_stored=True, threads=0),
        Peer("usearch float32", usearch(single, query, 1), as_stored=False),
        Peer("numkong float16", lambda: _best(_numkong(query_half, vectors), count), as_stored=True),
        Peer("numpy float32", lambda: _best(single @ query[0], count), as_stored=False),
    ]


def _numkong(query: Halves, vectors: Halves) -> Floats:
    return np.asarray(numkong.cdist(query, vectors, "dot"), np.float32).ravel()


def _best(products: Floats, count: int) -> tuple[Floats, object]:
    chosen = np.argpartition(-products, count)[:count]
    order = chosen[np.argsort(-products[chosen])]
    return products[order], order
