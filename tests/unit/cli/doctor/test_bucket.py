"""The doctor's checks of the picture bucket."""

from __future__ import annotations

import http.client
import socket
from dataclasses import replace

import pytest

from bot.cli.doctor.bucket import REMEDY, bucket
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import Settings
from tests.fixtures.buckets import KEY, BucketService


def settings_for(service: BucketService, prefix: str = "/vsearch") -> Settings:
    return Settings.from_mapping(
        {
            "VSEARCH_PICTURES": "bucket",
            "VSEARCH_BUCKET": service.bucket().name + prefix,
            "VSEARCH_BUCKET_ENDPOINT": service.address,
            "AWS_ACCESS_KEY_ID": KEY.id,
            "AWS_SECRET_ACCESS_KEY": KEY.secret,
        }
    )


def found(settings: Settings) -> CheckResult:
    (finding,) = bucket(settings)
    return finding


@pytest.mark.parametrize("prefix", ["", "/vsearch", "/teams/vsearch"])
def test_working_bucket_passes_and_stays_unchanged(bucket_service: BucketService, prefix: str) -> None:
    settings = settings_for(bucket_service, prefix)
    finding = found(settings)
    assert (finding.check, finding.state) == ("Bucket", CheckStatus.OK)
    assert finding.found.endswith("is writable and readable, and objects in it can be deleted")
    name = str(settings.bucket).partition("/")[0]
    # Only an empty bucket can be deleted.
    assert bucket_service.request("DELETE", f"/{name}")[0] == http.client.NO_CONTENT


def test_bucket_is_not_checked_if_pictures_are_stored_elsewhere() -> None:
    assert list(bucket(Settings())) == []
    assert list(bucket(Settings(bucket="pictures", bucket_endpoint="http://127.0.0.1:1"))) == []


def test_missing_bucket_is_found(bucket_service: BucketService) -> None:
    finding = found(replace(settings_for(bucket_service), bucket="not-made"))
    assert (finding.state, finding.code, finding.remedy) == (CheckStatus.WRONG, ExitCode.STORAGE, REMEDY)
    assert "There is no bucket “not-made”" in finding.found


def test_refused_key_is_found(bucket_service: BucketService) -> None:
    settings = settings_for(bucket_service)
    with bucket_service.only_known_keys():
        finding = found(settings)
    assert finding.state is CheckStatus.WRONG
    assert "refuses the key" in finding.found
    assert KEY.secret not in finding.found


def test_unreachable_service_is_found(bucket_service: BucketService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    finding = found(replace(settings_for(bucket_service), bucket_endpoint=f"http://127.0.0.1:{port}"))
    assert finding.state is CheckStatus.WRONG
    assert "there is no connection" in finding.found
