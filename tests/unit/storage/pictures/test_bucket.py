"""Requests to a bucket, and errors for a failing service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import (
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
)
from bot.storage.pictures.bucket import BucketKey, BucketObjects, BucketTimeouts
from tests.fakes.bucket import HANGS_UP, NEVER, NOT_THERE, FakeBucket, fake_bucket
from tests.fixtures.buckets import KEY

JPEG = b"\xff\xd8 not really \xff\xd9"
HASTE = BucketTimeouts(connect_s=0.4, request_s=0.4, call_s=5, attempts=2)
SLOW_DOWN = ("503 Slow Down", "SlowDown")
ASTRAY: Mapping[str, str] = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "AKIAANOTHERS",
    "AWS_SECRET_ACCESS_KEY": "another's",
    "AWS_SESSION_TOKEN": "another's",
    "AWS_REGION": "eu-north-1",
    "AWS_BUCKET": "another",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
}


@pytest.fixture
async def fake() -> AsyncIterator[FakeBucket]:
    async with fake_bucket() as bucket:
        yield bucket


@pytest.mark.parametrize(
    ("failure", "error", "text"),
    [
        (("403 Forbidden", "AccessDenied"), BackendCredentials, "may get, put and delete objects and list the bucket"),
        (("401 Unauthorized", "Unauthorized"), BackendCredentials, "(Unauthorized)"),
        (("400 Bad Request", "ExpiredToken"), BackendCredentials, "(ExpiredToken)"),
        (("301 Moved Permanently", "PermanentRedirect"), BackendRefused, "check AWS_REGION"),
        (("400 Bad Request", "AuthorizationHeaderMalformed"), BackendRefused, "check AWS_REGION"),
        ((NOT_THERE, "NoSuchBucket"), BackendRefused, "There is no bucket"),
        (("500 Internal Server Error", "InternalError"), BackendDown, "it fails (InternalError)"),
        (("502 Bad Gateway", "not-xml!"), BackendDown, "it fails (502)"),
        (SLOW_DOWN, BackendThrottled, "(SlowDown)"),
        (("429 Too Many Requests", "TooManyRequests"), BackendThrottled, "(TooManyRequests)"),
        ((HANGS_UP, ""), BackendDown, "there is no connection"),
        ((NEVER, ""), BackendTimeout, "took too long"),
    ],
)
async def test_service_errors_are_translated_without_the_response_text(
    fake: FakeBucket, failure: tuple[str, str], error: type[BackendError], text: str
) -> None:
    fake.permanent_fault = failure
    with pytest.raises(BackendError) as caught:
        await BucketObjects(fake.bucket(KEY), HASTE).get("a")
    assert type(caught.value) is error
    assert text in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None


async def test_slow_service_times_out_without_blocking_the_loop(fake: FakeBucket) -> None:
    fake.permanent_fault = (NEVER, "")
    asking = asyncio.create_task(
        BucketObjects(fake.bucket(KEY), replace(HASTE, request_s=5, call_s=0.2)).put("a", JPEG)
    )
    await asyncio.sleep(0.05)
    assert not asking.done()
    with pytest.raises(BackendTimeout):
        await asking


async def test_environment_variables_do_not_override_the_bucket(
    fake: FakeBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ASTRAY.items():
        monkeypatch.setenv(name, value)
    await BucketObjects(fake.bucket(KEY)).put("a", JPEG)
    (asked,) = fake.asked
    assert asked.path == "/pictures/a"
    assert f"Credential={KEY.id}/" in asked.headers["authorization"]
    assert "/us-east-1/s3/" in asked.headers["authorization"]
    assert "x-amz-security-token" not in asked.headers


async def test_temporary_key_is_sent_with_its_session_token(fake: FakeBucket) -> None:
    await BucketObjects(fake.bucket(BucketKey("AKIALENT", "hidden", "its-token"))).put("a", JPEG)
    assert fake.asked[0].headers["x-amz-security-token"] == "its-token"
    assert "its-token" not in repr(fake.bucket(BucketKey("AKIALENT", "hidden", "its-token")))


async def test_role_of_the_machine_provides_a_missing_key(fake: FakeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    lent = {
        "AccessKeyId": "AKIAROLE",
        "SecretAccessKey": "hidden",
        "Token": "the-roles-token",
        "Expiration": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    fake.objects["/lent"] = json.dumps(lent).encode()
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{fake.port}/lent")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/dev/null")
    await BucketObjects(fake.bucket(None)).put("a", JPEG)
    assert "Credential=AKIAROLE/" in fake.asked[-1].headers["authorization"]


async def test_missing_key_and_role_is_reported(fake: FakeBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/lent")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/dev/null")
    with pytest.raises(BackendCredentials, match="no role that brings one: set AWS_ACCESS_KEY_ID"):
        await BucketObjects(fake.bucket(None), HASTE).put("a", JPEG)
