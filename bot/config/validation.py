"""Validates related settings together. Each check yields one sentence for each problem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.config.declarations import DeclaredSettings

MIN_STATE_SECRET = 16


def unrelated(names: Iterable[str], problems: Iterable[str]) -> Iterator[str]:
    """Drop problems that name any of these settings: a setting that is invalid isn't missing as well."""
    named = [re.compile(rf"\b{re.escape(name)}\b") for name in names]
    return (problem for problem in problems if not any(name.search(problem) for name in named))


def swapped_tokens(settings: DeclaredSettings, *, stand_in: bool) -> Iterator[str]:
    """Check the prefixes of Slack's tokens; those of a fake Slack may have any form."""
    if stand_in:
        return
    for name, token, prefix in (
        ("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-"),
        ("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-"),
    ):
        if token and not token.startswith(prefix):
            # Without the quotes, redaction would take the prefix for a token.
            yield f"{name} must be a token that begins with “{prefix}”."


def missing_for_back_end(settings: DeclaredSettings, backend: str, *, for_deletion: bool = False) -> Iterator[str]:
    """Check the settings that a back end needs.

    The hosted service fetches every picture from the bot, so it needs a public address, except ``for_deletion``.
    """
    if backend == "pgvector" and not (settings.database_url or "").startswith("postgresql://"):
        yield "VSEARCH_BACKEND=pgvector needs a DATABASE_URL that begins with postgresql://."
    if backend != "showapi":
        return
    for name, value in (("SHOWAPI_APP_KEY", settings.showapi_app_key), ("SHOWAPI_DS_ID", settings.showapi_ds_id)):
        if not value:
            yield f"VSEARCH_BACKEND=showapi needs {name}, which the service's console shows."
    if settings.public_base_url is None and not for_deletion:
        yield (
            "VSEARCH_BACKEND=showapi needs PUBLIC_BASE_URL, the public address of this bot: the service fetches each"
            " picture from there."
        )


def missing_for_pictures(settings: DeclaredSettings) -> Iterator[str]:
    """Check the settings that a bucket needs. The access key is optional on machines that have a role at Amazon."""
    if settings.pictures != "bucket":
        return
    if settings.bucket is None:
        yield "VSEARCH_PICTURES=bucket needs VSEARCH_BUCKET, the name of the bucket."
    if settings.bucket_endpoint is None and settings.aws_region is None:
        yield (
            "VSEARCH_PICTURES=bucket needs AWS_REGION, the bucket's region at Amazon, or VSEARCH_BUCKET_ENDPOINT, the"
            " address of another service."
        )
    parts = {
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key,
    }
    missing = [name for name, value in parts.items() if not value]
    if missing and (len(missing) < len(parts) or settings.aws_session_token):
        yield f"VSEARCH_PICTURES=bucket needs {' and '.join(missing)} too, or no access key if the machine has a role."


def incomplete_oauth(settings: DeclaredSettings) -> Iterator[str]:
    """Check that the three OAuth settings are complete, unless SLACK_BOT_TOKEN makes them unnecessary."""
    parts = {
        "SLACK_CLIENT_ID": settings.slack_client_id,
        "SLACK_CLIENT_SECRET": settings.slack_client_secret,
        "SLACK_STATE_SECRET": settings.slack_state_secret,
    }
    given = [name for name, value in parts.items() if value]
    missing = [name for name in parts if given and name not in given]
    if missing and not settings.slack_bot_token:
        yield f"With {' and '.join(given)}, {' and '.join(missing)} must be set too."
    if settings.many_workspaces and settings.slack_state_secret and len(settings.slack_state_secret) < MIN_STATE_SECRET:
        yield f"SLACK_STATE_SECRET must have at least {MIN_STATE_SECRET} characters."
