"""Texts about what people said of answers, and what a database learned from it."""

from __future__ import annotations

from bot.blocks.mrkdwn import code, count, database_code, date_text
from bot.domain.channels.feedback import LearnedScores
from bot.domain.identifiers import DatabaseName

RIGHT = "Right"
WRONG = "Wrong"
RATE = "Right or wrong?"
WHICH_ARE_RIGHT = "Which of these are right?"
NOTHING_TO_RATE = "There are no matches to judge any more."
THANKS_RIGHT = "Thanks, noted as right. You can press the other button if you change your mind."
THANKS_WRONG = "Thanks, noted as wrong. You can press the other button if you change your mind."
UNDO = "Undo learned scores"
RESTORE = "Restore learned scores"


def add_photo_question(entity: str, database: DatabaseName) -> str:
    """Return the offer to add a confirmed photo to the entity that it shows."""
    return f"Add this photo to {code(entity)} in {database_code(database)}, to find the next one like it more surely?"


def add_photo_to(entity: str) -> str:
    """Return the label of the button that adds a photo to a confirmed entity."""
    return f"Add this photo to {entity}"


def learned(scores: LearnedScores) -> str:
    """Return one line about what a database learned."""
    if scores.model is None:
        return f"Default scores again, because learned ones no longer helped, {date_text(scores.created_at)}"
    return f"Scores learned from {count(scores.labels, 'answer')} that people judged, {date_text(scores.created_at)}"


def learning_undone(database: DatabaseName) -> str:
    """Return what happened after a press of Undo."""
    return f"{database_code(database)} scores as it did before. It learns again when people have judged more answers."
