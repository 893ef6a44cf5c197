"""Identifiers of blocks, actions, modals, fields and shortcuts, which Slack sends back with interactions."""

from __future__ import annotations

from enum import StrEnum


class BlockId(StrEnum):
    """Ids of blocks; a message has each at most once."""

    SUMMARY = "summary"
    LEFT_OUT = "left_out"
    NOTICE = "notice"
    BUTTONS = "buttons"


class ActionId(StrEnum):
    """Ids of buttons in messages and App Home. Old messages stay in Slack, so never reuse a name."""

    MORE = "results_more"
    ANOTHER_DATABASE = "results_another_database"
    ADD_THIS = "results_add_this"
    ADD_AS = "add_as"
    ADD_ANYWAY = "add_anyway"
    OPEN_ADD = "open_add"
    ADD_PICTURES = "add_pictures"
    """Opens the form that adds pictures to a database."""
    SHARE = "results_share"
    CHOOSE_PART = "results_choose_part"
    MENU = "results_menu"
    """A menu of actions; the chosen option says which."""
    COMPARE = "results_compare"
    ENTITY_PHOTOS = "entity_photos"
    SEARCH_PART = "results_search_part"
    LIST_PAGE = "list_page"
    LIST_SORT = "list_sort"
    LIST_JUMP = "list_jump"
    IMAGE_MENU = "image_menu"
    """A menu of actions on one image of a listing; the chosen option says which."""
    FIND_PAGE = "find_page"
    FIND_WORDS = "find_words"
    """The field for words in App Home."""
    DELETE_ENTITY = "delete_entity"
    EDIT_IMAGE = "edit_image"
    DELETE_IMAGE = "delete_image"
    MERGE_ENTITIES = "merge_entities"
    DELETE_DATABASE = "delete_database"
    CREATE_DATABASE = "create_database"
    DATABASE_SETTINGS = "database_settings"
    OPEN_SEARCH = "open_search"
    WATCH = "watch_channel"
    UNWATCH = "unwatch_channel"
    REOPEN_FORM = "reopen_form"
    DISMISS = "dismiss"
    RUN_COMMAND = "run_command"
    REPORT_OK = "report_ok"
    REPORT_NEVER = "report_never"
    REPORT_ASK = "report_ask"
    REPORT_MENU = "report_menu"
    """A menu of further actions about a report; the chosen option says which."""
    REPORT_NOT_SAME = "report_not_same"
    REPORT_FORGET = "report_forget"
    """Asks whether to delete the original."""
    REPORT_FORGET_NOW = "report_forget_now"
    REPORT_UNDO = "report_undo"


class ViewId(StrEnum):
    """The callback ids of modals."""

    SEARCH = "search_form"
    ANOTHER_DATABASE = "another_database_form"
    ADD = "add_form"
    ADD_PICTURES = "add_pictures_form"
    EDIT_IMAGE = "edit_image_form"
    LIST_JUMP = "list_jump_form"
    CREATE_DATABASE = "create_database_form"
    DELETE_DATABASE = "delete_database_form"
    DATABASE_SETTINGS = "database_settings_form"
    WATCH = "watch_form"
    COMPARISON = "comparison"
    """Shows two pictures side by side."""
    NOTE = "note"
    """Shows a text, and has no submit button."""


class InputId(StrEnum):
    """Fields of modals: the id serves as ``block_id`` and as the element's ``action_id``."""

    FILES = "files"
    URL = "url"
    WORDS = "words"
    LINK = "link"
    DATABASE = "database"
    TOP = "top"
    READERS = "readers"
    CONVERSATION = "conversation"
    ENTITY = "entity"
    NOTE = "note"
    NAME = "name"
    MODE = "mode"
    MINIMUM = "minimum"
    CHANNEL = "channel"
    WINDOW = "window"
    OWN = "own"
    PEOPLE = "people"
    EXEMPT = "exempt"
    REPORT_TO = "report_to"
    QUIET = "quiet"
    HINTS = "hints"
    SCOPE = "scope"
    PICTURES = "pictures"
    PREFIX = "prefix"


class ShortcutId(StrEnum):
    """The callback ids of the shortcuts in ``manifest.yml``."""

    FIND_SIMILAR = "find_similar"
    ADD_TO_DATABASE = "add_to_database"
    SEARCH_BY_IMAGE = "search_by_image"
