"""Declarations of all settings: name, meaning, unit, default and parser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.config import parsers as read
from bot.config.fields import setting

SLACK_API_URL = "https://slack.com/api/"
SHOWAPI_BASE_URL = "https://route.showapi.com"
DEFAULT_DATA_DIR = Path("data")
BACK_ENDS = ("embedded", "pgvector", "milvus", "showapi")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSettings:
    """One field for each setting. The repr leaves out secrets."""

    slack_bot_token: str | None = setting("SLACK_BOT_TOKEN", "The bot's token, xoxb-…", default=None, secret=True)
    slack_app_token: str | None = setting(
        "SLACK_APP_TOKEN",
        "The app-level token for Socket Mode, xapp-…",
        default=None,
        secret=True,
    )
    slack_signing_secret: str | None = setting(
        "SLACK_SIGNING_SECRET", "The secret that Slack signs its HTTP requests with", default=None, secret=True
    )
    slack_client_id: str | None = setting(
        "SLACK_CLIENT_ID", "The app's client id, for installing it in many workspaces", default=None
    )
    slack_client_secret: str | None = setting(
        "SLACK_CLIENT_SECRET",
        "The app's client secret, for installing it in many workspaces",
        default=None,
        secret=True,
    )
    slack_state_secret: str | None = setting(
        "SLACK_STATE_SECRET",
        "A secret of your own, 16 characters or more, that encrypts the tokens of installations",
        default=None,
        secret=True,
    )
    slack_api_url: str = setting(
        "SLACK_API_URL",
        "Address of Slack's Web API; change it only to use a fake Slack",
        default=SLACK_API_URL,
        parse=read.api_url,
    )
    host: str | None = setting(
        "HOST", "Address to listen on; by default 127.0.0.1, or 0.0.0.0 when PORT is set", default=None, parse=read.host
    )
    port: int | None = setting(
        "PORT",
        "Port to listen on; by default 3000 with SLACK_SIGNING_SECRET, and none in Socket Mode",
        default=None,
        parse=read.integer(0, 65535),
    )
    public_base_url: str | None = setting(
        "PUBLIC_BASE_URL",
        "Public address of this bot, such as https://vsearch.example.com; answers link to pictures there",
        default=None,
        parse=read.base_url,
    )
    media_ttl_s: int = setting(
        "VSEARCH_MEDIA_TTL_S",
        "Lifetime of a signed link to a picture",
        default=2_592_000,
        parse=read.integer(60, 315_360_000),
        unit="seconds",
    )
    role: str = setting(
        "VSEARCH_ROLE",
        "What this process does: web receives events from Slack, worker processes pictures and answers, all does both",
        default="all",
        parse=read.one_of("all", "web", "worker"),
    )
    data_dir: Path = setting("VSEARCH_DATA_DIR", "Directory for all data", default=DEFAULT_DATA_DIR, parse=read.path)
    backend: str = setting("VSEARCH_BACKEND", "The search back end", default="embedded", parse=read.one_of(*BACK_ENDS))
    showapi_app_key: str | None = setting(
        "SHOWAPI_APP_KEY", "The hosted service's key, for VSEARCH_BACKEND=showapi", default=None, secret=True
    )
    showapi_ds_id: str | None = setting(
        "SHOWAPI_DS_ID", "The hosted service's ds_id, which names one of the account's data sources", default=None
    )
    showapi_base_url: str = setting(
        "SHOWAPI_BASE_URL", "Address of the hosted service", default=SHOWAPI_BASE_URL, parse=read.base_url
    )
    showapi_shared_database: str | None = setting(
        "SHOWAPI_SHARED_DATABASE",
        "A database of the service that all databases share; if unset, each has its own there",
        default=None,
        parse=read.database_name,
    )
    showapi_calls_per_s: int = setting(
        "SHOWAPI_CALLS_PER_S",
        "Maximum rate of calls to the hosted service; new accounts allow 2, resource packs allow 5",
        default=2,
        parse=read.integer(1, 1000),
        unit="calls a second",
    )
    milvus_url: str | None = setting(
        "VSEARCH_MILVUS_URL",
        "Address of Milvus for VSEARCH_BACKEND=milvus, such as http://milvus.example.com:19530",
        default=None,
        parse=read.base_url,
    )
    milvus_token: str | None = setting(
        "VSEARCH_MILVUS_TOKEN",
        "Milvus's token, or user:password; if unset, Milvus must let in everybody who reaches it",
        default=None,
        secret=True,
    )
    milvus_timeout_s: int = setting(
        "VSEARCH_MILVUS_TIMEOUT_S",
        "Maximum duration of one call to Milvus",
        default=10,
        parse=read.integer(1, 300),
        unit="seconds",
    )
    api_keys: tuple[str, ...] = setting(
        "VSEARCH_API_KEYS",
        "Keys (comma-separated) that “vsearch serve-api” accepts as appKey; each key has its own databases",
        default=(),
        parse=read.api_keys,
        secret=True,
    )
    database_url: str | None = setting(
        "DATABASE_URL",
        "Address of the database for catalogue, vectors and inbox: sqlite:///… for a file outside the data directory,"
        " or postgresql://… for several machines",
        default=None,
        parse=read.database_url,
        secret=True,
    )
    database_connections: int = setting(
        "VSEARCH_DATABASE_CONNECTIONS",
        "Maximum number of connections of each process to PostgreSQL, besides one that listens for jobs",
        default=8,
        parse=read.integer(2, 1000),
        unit="connections",
    )
    pictures: str | None = setting(
        "VSEARCH_PICTURES",
        "Where to store pictures: files in the data directory (default with SQLite), database (default with PostgreSQL)"
        " or bucket; every machine can read the last two",
        default=None,
        parse=read.one_of("files", "database", "bucket"),
    )
    bucket: str | None = setting(
        "VSEARCH_BUCKET",
        "Name of the bucket for VSEARCH_PICTURES=bucket, such as our-pictures, or our-pictures/vsearch with a prefix",
        default=None,
        parse=read.bucket,
    )
    bucket_endpoint: str | None = setting(
        "VSEARCH_BUCKET_ENDPOINT",
        "Address of the bucket's service, such as https://minio.example.com:9000; if unset, Amazon S3 in AWS_REGION",
        default=None,
        parse=read.base_url,
    )
    aws_region: str | None = setting(
        "AWS_REGION", "Region of the bucket, such as eu-central-1", default=None, parse=read.region
    )
    aws_access_key_id: str | None = setting(
        "AWS_ACCESS_KEY_ID",
        "Id of the access key for the bucket; if unset, the machine's role at Amazon is used",
        default=None,
    )
    aws_secret_access_key: str | None = setting(
        "AWS_SECRET_ACCESS_KEY", "Secret of that access key", default=None, secret=True
    )
    aws_session_token: str | None = setting(
        "AWS_SESSION_TOKEN", "Session token of a temporary access key", default=None, secret=True
    )
    backup_dir: Path | None = setting(
        "VSEARCH_BACKUP_DIR",
        "Directory for backups that the bot makes at intervals, best on another disk; by default, it makes none",
        default=None,
        parse=read.path,
    )
    backup_every_h: int = setting(
        "VSEARCH_BACKUP_EVERY_H",
        "Time from one of these backups to the next",
        default=24,
        parse=read.integer(1, 8760),
        unit="hours",
    )
    backup_keep: int = setting(
        "VSEARCH_BACKUP_KEEP",
        "How many of these backups to keep; older ones are deleted",
        default=7,
        parse=read.integer(1, 10_000),
        unit="backups",
    )
    retention_days: int | None = setting(
        "VSEARCH_RETENTION_DAYS",
        "Age at which images are deleted; by default, never",
        default=None,
        parse=read.integer(1, 36_500),
        unit="days",
    )
    admins: tuple[str, ...] = setting(
        "VSEARCH_ADMINS",
        "Slack user ids (comma-separated) of people who may delete any database and image, besides workspace admins",
        default=(),
        parse=read.names,
    )
    guests_see: str = setting(
        "VSEARCH_GUESTS_SEE",
        "What guests of the workspace see: channels (images from the channels that they are in) or imports (also images"
        " that came from no channel)",
        default="channels",
        parse=read.one_of("channels", "imports"),
    )
    catch_up_hours: int = setting(
        "VSEARCH_CATCH_UP_HOURS",
        "How far back a starting bot reads what was posted in collect and guard channels while it was away; 0 turns"
        " that off",
        default=72,
        parse=read.integer(0, 8760),
        unit="hours",
    )
    catch_up_messages: int = setting(
        "VSEARCH_CATCH_UP_MESSAGES",
        "Maximum number of messages that it then reads in each channel",
        default=1000,
        parse=read.integer(1, 100_000),
        unit="messages",
    )
    history_calls_per_min: int = setting(
        "VSEARCH_HISTORY_CALLS_PER_MIN",
        "Maximum rate of reading channels' histories in a workspace; Slack allows 50, and apps that are distributed"
        " outside its Marketplace 1, which the bot finds out by itself",
        default=45,
        parse=read.integer(1, 1_000_000),
        unit="calls a minute",
    )
    cache_ttl_s: int = setting(
        "VSEARCH_CACHE_TTL_S",
        "How long search results are cached; 0 turns the cache off",
        default=600,
        parse=read.integer(0, 86_400),
        unit="seconds",
    )
    cache_size: int = setting(
        "VSEARCH_CACHE_SIZE",
        "Maximum number of cached results",
        default=1000,
        parse=read.integer(1, 1_000_000),
        unit="results",
    )
    trusted_hosts: tuple[str, ...] = setting(
        "VSEARCH_TRUSTED_HOSTS",
        "Hosts (host or host:port, comma-separated) that users' URLs may reach although they are private or loopback",
        default=(),
        parse=read.names,
    )
    max_image_mb: int = setting(
        "VSEARCH_MAX_IMAGE_MB", "Maximum size of a file", default=25, parse=read.integer(1, 200), unit="MB"
    )
    max_image_megapixels: int = setting(
        "VSEARCH_MAX_IMAGE_MEGAPIXELS",
        "Maximum size of a picture; JPEGs may have more, since they are decoded at a reduced size",
        default=50,
        parse=read.integer(1, 500),
        unit="megapixels",
    )
    image_memory_mb: int = setting(
        "VSEARCH_IMAGE_MEMORY_MB",
        "Memory for downloading and decoding pictures, all together; a machine with 512 MB should have 160",
        default=576,
        parse=read.integer(64, 1_000_000),
        unit="MB",
    )
    stored_image_side: int = setting(
        "VSEARCH_STORED_IMAGE_SIDE",
        "Longer side of the stored copies that people open; 1023 takes a third of the disk and gives the same matches",
        default=2048,
        parse=read.integer(1023, 4096),
        unit="pixels",
    )
    fetch_timeout_s: int = setting(
        "VSEARCH_FETCH_TIMEOUT_S",
        "Maximum duration of one download",
        default=15,
        parse=read.integer(1, 300),
        unit="seconds",
    )
    index_memory_mb: int = setting(
        "VSEARCH_INDEX_MEMORY_MB",
        "Memory for the vectors of all databases together; those that don't fit are searched on disk, which is slower",
        default=512,
        parse=read.integer(1, 1_000_000),
        unit="MB",
    )
    threads: int = setting(
        "VSEARCH_THREADS",
        "Threads for pictures and the model; 0 means one per core",
        default=0,
        parse=read.integer(0, 256),
    )
    read_text: str = setting(
        "VSEARCH_READ_TEXT",
        "Whether to read the text in pictures, for ranking and for searches by words: on or off",
        default="on",
        parse=read.one_of("on", "off"),
    )
    model_path: Path | None = setting(
        "VSEARCH_MODEL_PATH",
        "An ONNX image embedding model to use instead of the built-in one (input 1×3×size×size float32)",
        default=None,
        parse=read.path,
    )
    model_size: int = setting(
        "VSEARCH_MODEL_SIZE",
        "Side length of that model's input",
        default=224,
        parse=read.integer(32, 1024),
        unit="pixels",
    )
    model_mean: tuple[float, float, float] = setting(
        "VSEARCH_MODEL_MEAN",
        "Mean of red, green and blue that the model expects (0 to 1)",
        default=(0.485, 0.456, 0.406),
        parse=read.three_numbers,
    )
    model_std: tuple[float, float, float] = setting(
        "VSEARCH_MODEL_STD",
        "Standard deviation of red, green and blue that the model expects (0 to 1)",
        default=(0.229, 0.224, 0.225),
        parse=read.three_numbers,
    )
    model_fit: str = setting(
        "VSEARCH_MODEL_FIT",
        "How a picture becomes that model's square input: the middle (crop), the whole middle square (square), or the"
        " whole picture (stretch)",
        default="crop",
        parse=read.one_of("crop", "square", "stretch"),
    )
    model_output: str = setting(
        "VSEARCH_MODEL_OUTPUT",
        "Name of that model's output that is the embedding; the first one unless set",
        default="",
        parse=read.text,
    )
    log_format: str = setting(
        "VSEARCH_LOG_FORMAT", "Format of log messages", default="text", parse=read.one_of("text", "json")
    )
    log_level: str = setting(
        "VSEARCH_LOG_LEVEL",
        "Minimum level of log messages",
        default="info",
        parse=read.one_of("debug", "info", "warning", "error"),
    )
    otlp_endpoint: str | None = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "Address of an OpenTelemetry collector (OTLP over HTTP) that gets traces; off unless set",
        default=None,
        parse=read.base_url,
    )

    @property
    def many_workspaces(self) -> bool:
        """Whether workspaces install the app through OAuth, each with its own token."""
        return bool(self.slack_client_id and self.slack_client_secret and self.slack_state_secret)
