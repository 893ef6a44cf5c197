"""A strict stand-in for Slack on 127.0.0.1. ``failures`` lists everything that the real Slack would have refused.

Delivery: Socket Mode from the start; after ``http(url, signing_secret)`` as signed POSTs (``http_mode``: ``signed``,
``delays_s``, ``retries``, ``acknowledge_within_s``). ``deliver_raw(body, headers)`` posts anything, ``verify_url()``
sends Slack's challenge. Every delivery returns a task that ends with the content of the acknowledgement; ``state.acks``
has the seconds. Use ``tolerate_silence()`` for bots that are killed.

Several processes: an envelope goes to any open connection, chosen with a fixed seed, and is repeated on another.
``socket_mode`` has ``connected(3)``, ``numbers``, ``through(number)``, ``acknowledged`` and ``unacknowledged`` by
number, ``refresh_every``, and ``refused`` (connections beyond ten).

People: ``upload``, ``say``, ``edit_message``, ``delete_message``, ``delete_file``, ``command``, ``open_home``,
``press``, ``press_in_view``, ``submit``, ``close``, ``shortcut_message``, ``shortcut_global``, ``uninstall``,
``revoke_tokens``, ``approve_install``, and ``event`` for any other event.

Set-up: ``add_channel(kind="private"|"im"|"mpim"|"shared", members=…)``, ``add_person(is_admin=True)``,
``add_workspace``, ``grant_scopes``, ``host`` (a file that is not shared yet), ``state.processing_looks``, ``oauth``.

Failures: ``refuse_next``, ``break_next`` (5xx), ``lose_next_answer`` (does the work, then answers 503), ``rate_limit``,
``limit_posts_to_one_a_second``, ``expire_token``, ``pass_time``; files have ``stub``, ``redirect_to`` and
``refuses_token``. Remove a failure that a test causes on purpose with ``forgive("part of it")``.

Inspection: ``transcript``, ``replies``, ``current``, ``versions``, ``reactions``, ``views``, ``home``, ``calls``,
``scopes_used``, ``state.deleted``, ``state.uploads``; ``wait_for``, ``wait_for_reply``, ``wait_for_answer``,
``wait_for_edit``, ``wait_for_deletion``, ``wait_for_reaction``, ``wait_for_view``, ``wait_for_home``,
``wait_for_call``, ``wait_until``, ``acknowledged``. ``block_kit.problems`` and ``view_problems`` validate blocks alone.
"""

from tests.fakes.slack.base import GENERAL, SOMEONE
from tests.fakes.slack.server import FakeSlack
from tests.fakes.slack.values import Channel, HostedFile, Json, Message, Person, View, Workspace

__all__ = [
    "GENERAL",
    "SOMEONE",
    "Channel",
    "FakeSlack",
    "HostedFile",
    "Json",
    "Message",
    "Person",
    "View",
    "Workspace",
]
