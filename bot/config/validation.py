"""What settings must be together. Each check yields a sentence for every problem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bot.config.declarations import DeclaredSettings

MIN_STATE_SECRET = 16


def unrelated(names: Iterable[str], problems: Iterable[str]) -> Iterator[str]:
    """Those problems that name none of these settings: what was given, but wrong, isn't missing as well."""
    named = [re.compile(rf"\b{re.escape(name)}\b") for name in names]
    return (problem for problem in problems if not any(name.search(problem) for name in named))


def swapped_tokens(settings: DeclaredSettings, *, stand_in: bool) -> Iterator[str]:
    """Slack's tokens tell what they are for; a stand-in's may look any way."""
    if stand_in:
        return
    for name, token, prefix in (
        ("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-"),
        ("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-"),
    ):
        if token and not token.startswith(prefix):
            # Quoted, or the log's and the errors' redaction takes the prefix for a token.
            yield f"{name} must be a token that begins with “{prefix}”."


def missing_for_back_end(settings: DeclaredSettings, backend: str, *, for_deletion: bool = False) -> Iterator[str]:
    """What a back end can't do without. The hosted service fetches every picture from us, so it has to reach us.

    ``for_deletion``: nothing is to be fetched, since all that it has is to go.
    """
    if backend == "pgvector" and not (settings.database_url or "").startswith("postgresql://"):
        yield "VSEARCH_BACKEND=pgvector needs DATABASE_URL, an address that begins with postgresql://."
    if backend != "showapi":
        return
    for name, value in (("SHOWAPI_APP_KEY", settings.showapi_app_key), ("SHOWAPI_DS_ID", settings.showapi_ds_id)):
        if not value:
            yield f"VSEARCH_BACKEND=showapi needs {name}; the service's console has it."
    if settings.public_base_url is None and not for_deletion:
        yield (
            "VSEARCH_BACKEND=showapi needs PUBLIC_BASE_URL, the address at which the outside reaches this bot:"
            " the service fetches each picture from there."
        )


def missing_for_pictures(settings: DeclaredSettings) -> Iterator[str]:
    """What a bucket can't do without. A key may be missing: then a role of the machine brings one."""
    if settings.pictures != "bucket":
        return
    if settings.bucket is None:
        yield "VSEARCH_PICTURES=bucket needs VSEARCH_BUCKET, the bucket's name."
    if settings.bucket_endpoint is None and settings.aws_region is None:
        yield (
            "VSEARCH_PICTURES=bucket needs AWS_REGION, where Amazon has the bucket, or VSEARCH_BUCKET_ENDPOINT,"
            " the address of another service."
        )
    parts = {
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key,
    }
    missing = [name for name, value in parts.items() if not value]
    if missing and (len(missing) < len(parts) or settings.aws_session_token):
        yield f"VSEARCH_PICTURES=bucket needs {' and '.join(missing)} too, or no key at all and a role of the machine."


def incomplete_oauth(settings: DeclaredSettings) -> Iterator[str]:
    """Many workspaces take three settings. With a token for one, that one is served whatever else is there."""
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
