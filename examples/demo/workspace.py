"""The demo's workspace, with its people and channels, and the bot's settings in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.config.settings import Settings
from scripts.environment.proxies import without_proxies

TEAM = "T0DEMO"
BOT = "U0VSEARCH"
BOT_TOKEN, APP_TOKEN = "xoxb-demo", "xapp-demo"

YOU, MIRA, JONAS, LEA = "U0YOU", "U0MIRA", "U0JONAS", "U0LEA"
PEOPLE = {YOU: ("you", "You"), MIRA: ("mira", "Mira Okafor"), JONAS: ("jonas", "Jonas Weber"), LEA: ("lea", "Lea Sato")}

LOOKUP, CATALOGUE, REPOSTS = "C0LOOKUP", "C0CATALOGUE", "C0REPOSTS"
CHANNELS = {LOOKUP: "lookup", CATALOGUE: "catalogue", REPOSTS: "reposts"}
"""Channel names by id. The page opens the first channel."""

TEN_YEARS_S = 315_360_000


def configuration() -> dict[str, Any]:
    """Return the workspace as the stand-in's configuration."""
    members = [*PEOPLE, BOT]
    app = {"appId": "A0VSEARCH", "botUserId": BOT, "botName": "vsearch", "botToken": BOT_TOKEN, "appToken": APP_TOKEN}
    return {
        "workspace": {"name": "vsearch demo", "domain": "vsearch-demo", "teamId": TEAM},
        "apps": [app | {"mode": "socket"}],
        "users": [{"id": id_, "name": name, "real_name": real} for id_, (name, real) in PEOPLE.items()],
        "channels": [{"id": id_, "name": name, "members": members} for id_, name in CHANNELS.items()],
    }


def environment(
    outer: Mapping[str, str], data_dir: Path, *, stand_in: str, port: int, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the bot's environment, without any of the user's own settings.

    The bot must not use the user's databases, nor connect to their Slack. Slack's SDK would send every request for the
    stand-in to the user's proxy, which can't reach this machine's loopback; the SDK ignores ``no_proxy``.
    """
    # Empty settings count as unset, and environment variables take precedence over .env.
    unset = {item.metadata["name"]: "" for item in dataclasses.fields(Settings)}
    ours = {
        "SLACK_API_URL": f"{stand_in}/api/",
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_APP_TOKEN": APP_TOKEN,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        # The page keeps its messages, so links to pictures in them must not expire.
        "VSEARCH_MEDIA_TTL_S": str(TEN_YEARS_S),
        "VSEARCH_DATA_DIR": str(data_dir),
        "VSEARCH_ADMINS": YOU,
    }
    return {**without_proxies(outer), **unset, **ours, **(more or {})}
