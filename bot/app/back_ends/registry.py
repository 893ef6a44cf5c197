"""Opens a search back end by its name in VSEARCH_BACKEND.

Only the module of the chosen back end is imported. Importing ``embedded`` takes 160 ms and 33 MB (ONNX Runtime, faiss),
``pgvector`` 240 ms and 9 MB (psycopg), ``hosted`` 125 ms and 9 MB.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import BackendDependencies


def open_back_end(name: str, dependencies: BackendDependencies) -> AbstractAsyncContextManager[VisualSearch]:
    """Return a context that opens a back end and closes it on exit.

    Raises SettingsError at once, and BackendError when the context is entered.
    """
    dependencies.settings.check_back_end(name, for_deletion=dependencies.for_deletion)
    if name == "embedded":
        from bot.app.back_ends.embedded import open_embedded  # noqa: PLC0415 - slow import

        return open_embedded(dependencies)
    if name == "pgvector":
        from bot.app.back_ends.pgvector import open_pgvector  # noqa: PLC0415 - slow import

        return open_pgvector(dependencies)
    if name == "milvus":
        from bot.app.back_ends.milvus import open_milvus  # noqa: PLC0415 - slow import

        return open_milvus(dependencies)
    from bot.app.back_ends.hosted import open_hosted  # noqa: PLC0415 - slow import

    return open_hosted(dependencies)
