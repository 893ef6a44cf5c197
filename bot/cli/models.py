"""The embedding model that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.config import Settings

if TYPE_CHECKING:
    from bot.adapters.embedded.embedding import EmbeddingModel


def load_model(settings: Settings) -> EmbeddingModel:
    """The built-in one, or the operator's. Raises SettingsError, and OSError for a file that is not there."""
    # onnxruntime and OpenCV, which most commands do without.
    from bot.adapters.embedded.embedding import BuiltInModel, CustomModel, CustomModelOptions  # noqa: PLC0415

    if settings.model_path is None:
        return BuiltInModel()
    return CustomModel(
        CustomModelOptions(settings.model_path, settings.model_size, settings.model_mean, settings.model_std)
    )
