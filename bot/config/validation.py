"""Validates related settings together. Each check yields one sentence for each problem."""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bot.config.declarations import DeclaredSettings

MIN_STATE_SECRET = 16

DECODER_MB = 78
"""Memory that a decoder needs for small pictures: its process has 48 MB."""

MODES = "SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)"
TOKENS = "SLACK_BOT_TOKEN (one workspace) or SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and SLACK_STATE_SECRET (many)"
NO_CREDENTIALS = (
    "Set {missing}. README.md, “Connect your Slack workspace”, says where to find them.",
    "To try vsearch without Slack, run “make run”. It needs no account and no settings.",
)
NO_KEYS = "Set VSEARCH_API_KEYS to the keys for your callers: 16 characters or more each, separated by commas."
OTHER_DATABASE = (
    "--data-dir names {folder}, but DATABASE_URL names a database elsewhere: leave one of them out, so that it is clear"
    " which data you mean."
)


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
    if backend == "milvus":
        yield from _missing_for_milvus(settings)
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


def _missing_for_milvus(settings: DeclaredSettings) -> Iterator[str]:
    if settings.milvus_url is None:
        yield "VSEARCH_BACKEND=milvus needs VSEARCH_MILVUS_URL, the address of Milvus."
    if importlib.util.find_spec("pymilvus") is None:
        yield "VSEARCH_BACKEND=milvus needs the package pymilvus. Install it with “pip install vsearch[milvus]”."


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


def unusable_backup_dir(settings: DeclaredSettings) -> Iterator[str]:
    """Check that the bot can make backups itself: PostgreSQL and buckets have tools of their own."""
    if settings.backup_dir is None:
        return
    is_elsewhere = (settings.database_url or "").startswith("postgresql://")
    if is_elsewhere or settings.pictures == "bucket":
        where = "DATABASE_URL is in PostgreSQL" if is_elsewhere else "pictures are in a bucket"
        yield (
            f"VSEARCH_BACKUP_DIR can't be used while {where}, which has its own tools for backups: unset it, and see"
            " docs/operating.md, “Backups”."
        )
        return
    folder, data = settings.backup_dir.absolute().resolve(), settings.data_dir.absolute().resolve()
    if folder == data or folder.is_relative_to(data / "pictures"):
        yield "VSEARCH_BACKUP_DIR must be another directory than the data directory and its pictures."


def too_little_image_memory(settings: DeclaredSettings) -> Iterator[str]:
    """Check that two files of the largest size and a decoder process fit into the memory for pictures."""
    least = 2 * settings.max_image_mb + DECODER_MB
    if settings.image_memory_mb < least:
        yield (
            f"VSEARCH_IMAGE_MEMORY_MB must be at least {least}: twice VSEARCH_MAX_IMAGE_MB"
            f" ({settings.max_image_mb}), and {DECODER_MB} for a decoder."
        )


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


def missing_credentials(settings: DeclaredSettings) -> Iterator[str]:
    """Check that the bot can get Slack's deliveries and has a token to answer them."""
    missing = []
    if settings.role != "worker" and not settings.slack_app_token and not settings.slack_signing_secret:
        missing.append(MODES)
    # Of incomplete OAuth settings, incomplete_oauth says what is missing.
    if not (settings.slack_bot_token or settings.slack_client_id or settings.slack_client_secret):
        missing.append(TOKENS)
    if missing:
        first, *others = NO_CREDENTIALS
        yield from (first.format(missing=", and ".join(missing)), *others)


def missing_api_keys(settings: DeclaredSettings) -> Iterator[str]:
    """Check that somebody may use the API."""
    if not settings.api_keys:
        yield NO_KEYS


def database_file(settings: DeclaredSettings) -> Path | None:
    """Return the file of the SQLite database; None if it is in PostgreSQL."""
    scheme, _, rest = (settings.database_url or "").partition("://")
    if scheme == "sqlite":
        return Path(rest.partition("?")[0].removeprefix("/"))
    return None if scheme else settings.data_dir / "vsearch.db"


def contradicting_data_dir(settings: DeclaredSettings) -> Iterator[str]:
    """Check that DATABASE_URL doesn't lead away from a data directory that was given on the command line."""
    folder, file = settings.data_dir, database_file(settings)
    if file is not None and file.absolute().resolve().is_relative_to(folder.absolute().resolve()):
        return
    if file is not None or settings.pictures != "files":
        yield OTHER_DATABASE.format(folder=folder)


def unusable_model(settings: DeclaredSettings) -> Iterator[str]:
    """Check the settings of a custom model, before anything is opened."""
    if settings.backend == "showapi":
        return
    if settings.model_path is not None and not settings.model_path.is_file():
        yield f"VSEARCH_MODEL_PATH must be a file, but {settings.model_path} isn't one."
    if not all(math.isfinite(value) for value in settings.model_mean):
        yield "VSEARCH_MODEL_MEAN must be three finite numbers."
    if not all(math.isfinite(value) and value > 0 for value in settings.model_std):
        yield "VSEARCH_MODEL_STD must be three numbers above 0."
