"""What forms carry: where they were opened, and what somebody had entered."""

from __future__ import annotations

from dataclasses import dataclass

from bot.blocks.button_state.base import InteractionState


@dataclass(frozen=True, slots=True)
class FormInput(InteractionState):
    """What somebody had entered into a form that failed after it was closed, for the button that opens it again.

    Attributes:
        view: the form's ``ViewId``.
        url: the image URL.
        database: the chosen database.
        words: the words by which images are found.
        top: the number of matches to show.
        for_everyone: whether the whole channel sees the results.
        entity: the id for the images.
        note: their note.
        searches: the files, as ``encode_searches`` returns them.

    """

    view: str = ""
    url: str = ""
    database: str = ""
    words: str = ""
    top: int = 5
    for_everyone: bool = False
    entity: str = ""
    note: str = ""
    searches: str = ""


NOTHING_ENTERED = FormInput()


@dataclass(frozen=True, slots=True)
class FormState(InteractionState):
    """Where a modal was opened, and what it is about.

    Attributes:
        response_url: answers may go here.
        channel: where it was opened; empty in App Home.
        channel_kind: the channel's ``ChannelKind``.
        thread: timestamp of the thread that answers go into.
        database: the database to use if the form names none.
        state: encoded ``SearchState``s, as ``encode_searches`` returns them.
        home: whether it was opened in App Home.
        binds: a channel that will use the database that the form creates.
        mark: the catalogue's mark of the database that the form deletes, when it was opened.
        image: the data id of the image that the form edits.

    """

    response_url: str = ""
    channel: str = ""
    channel_kind: str = ""
    thread: str = ""
    database: str = ""
    state: str = ""
    home: bool = False
    binds: str = ""
    mark: str = ""
    image: str = ""
