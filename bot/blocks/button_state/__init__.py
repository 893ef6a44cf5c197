"""State that buttons and modals carry in Slack, so that they work at any time and in any process."""

from __future__ import annotations

from bot.blocks.button_state.base import MAX_BUTTON_VALUE, MAX_METADATA, MAX_NUMBER, InteractionState
from bot.blocks.button_state.forms import NOTHING_ENTERED, FormInput, FormState
from bot.blocks.button_state.options import (
    decode_comparison,
    decode_image_option,
    decode_option,
    encode_comparison,
    encode_image_option,
    encode_option,
)
from bot.blocks.button_state.searches import (
    WITH_TEXT,
    WITHOUT_TEXT,
    CompareState,
    SearchState,
    decode_searches,
    encode_part,
    encode_searches,
)
from bot.blocks.button_state.subjects import (
    AddState,
    CommandState,
    EntityState,
    FeedbackState,
    FindState,
    HistoryState,
    ImageState,
    LearningState,
    ListState,
    MergeState,
    NameState,
    ReportState,
)

__all__ = [
    "MAX_BUTTON_VALUE",
    "MAX_METADATA",
    "MAX_NUMBER",
    "NOTHING_ENTERED",
    "WITHOUT_TEXT",
    "WITH_TEXT",
    "AddState",
    "CommandState",
    "CompareState",
    "EntityState",
    "FeedbackState",
    "FindState",
    "FormInput",
    "FormState",
    "HistoryState",
    "ImageState",
    "InteractionState",
    "LearningState",
    "ListState",
    "MergeState",
    "NameState",
    "ReportState",
    "SearchState",
    "decode_comparison",
    "decode_image_option",
    "decode_option",
    "decode_searches",
    "encode_comparison",
    "encode_image_option",
    "encode_option",
    "encode_part",
    "encode_searches",
]
