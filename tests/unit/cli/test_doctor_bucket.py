"""What the doctor says of the bucket for pictures."""

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
def test_a_bucket_in_order_says_so_and_is_left_as_it_was(bucket_service: BucketService, prefix: str) -> None:
    settings = settings_for(bucket_service, prefix)
    finding = found(settings)
    assert (finding.check, finding.state) == ("Bucket", CheckStatus.OK)
    assert finding.found.endswith("is writable and readable, and objects in it can be deleted")
    name = str(settings.bucket).partition("/")[0]
    # Only what is empty can be deleted.
    assert bucket_service.ask("DELETE", f"/{name}")[0] == http.client.NO_CONTENT


def test_where_pictures_are_kept_elsewhere_nothing_is_asked() -> None:
    assert list(bucket(Settings())) == []
    assert list(bucket(Settings(bucket="pictures", bucket_endpoint="http://127.0.0.1:1"))) == []


def test_a_bucket_that_is_not_there(bucket_service: BucketService) -> None:
    finding = found(replace(settings_for(bucket_service), bucket="not-made"))
    assert (finding.state, finding.code, finding.remedy) == (CheckStatus.WRONG, ExitCode.STORAGE, REMEDY)
    assert "There is no bucket “not-made”" in finding.found


def test_a_key_that_is_refused(bucket_service: BucketService) -> None:
    settings = settings_for(bucket_service)
    with bucket_service.only_known_keys():
        finding = found(settings)
    assert finding.state is CheckStatus.WRONG
    assert "refuses the key" in finding.found
    assert KEY.secret not in finding.found


def test_a_service_that_is_not_there(bucket_service: BucketService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    finding = found(replace(settings_for(bucket_service), bucket_endpoint=f"http://127.0.0.1:{port}"))
    assert finding.state is CheckStatus.WRONG
    assert "there is no connection" in finding.found
