"""The client of the hosted service: the requests that it sends, and how it parses successful responses."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from bot.adapters.showapi.http.client import ShowApiAccount
from bot.adapters.showapi.http.values import HostedMatch
from bot.domain.errors import (
    BackendCannotFetch,
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendLost,
    BackendRefused,
    PictureRefused,
)
from tests.unit.adapters.showapi.responses import (
    ACCOUNT,
    CALLS,
    KEY,
    URL,
    Counting,
    client,
    good,
    plain,
    upstream,
    wrapped,
)

SOURCE = {"ds_id": "ds-7"}
PAGE = good({"TotalCount": 0, "ImageList": []})


async def sent(call: Any, answer: httpx.Response) -> tuple[str, dict[str, str]]:
    async with client(answer) as (service, service_side):
        await call(service)
    (asked,) = service_side.asked
    assert asked.query == {"appKey": KEY}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form.pop("ds_id") == "ds-7"
    return asked.path, asked.form


async def test_every_operation_sends_its_fields_as_a_form() -> None:
    assert await sent(CALLS["create_database"], good()) == ("/2475-1", {"Name": "parts"})
    assert await sent(CALLS["databases"], good({"DbList": []})) == ("/2475-2", {})
    added = {"DbName": "parts", "EntityId": "e_1", "ExtraData": "阀门 100% & more", "ImageUrl": URL}
    add: Any = lambda service: service.add_image("parts", "e_1", "阀门 100% & more", URL)  # noqa: E731
    assert await sent(add, good({"DataId": "7"})) == ("/2475-3", added)
    assert await sent(CALLS["images"], PAGE) == ("/2475-4", {"DbName": "parts"})
    searched = {"DbName": "parts", "ImageUrl": URL, "Limit": "10"}
    assert await sent(CALLS["search"], good({"MatchList": []})) == ("/2475-5", searched)
    assert await sent(CALLS["delete_database"], good()) == ("/2475-6", {"Name": "parts"})
    assert await sent(CALLS["delete_images"], good()) == ("/2475-7", {"DbName": "parts", "EntityId": "e_1"})


async def test_listing_sends_only_fields_with_a_value() -> None:
    every: Any = lambda service: service.images("parts", offset=0, limit=20, newest_first=True, prefix="e_")  # noqa: E731
    form = {"DbName": "parts", "Offset": "0", "Limit": "20", "Order": "desc", "EntityIdPrefix": "e_"}
    assert await sent(every, PAGE) == ("/2475-4", form)
    onward: Any = lambda service: service.images("parts", token="t=", newest_first=False)  # noqa: E731
    assert await sent(onward, PAGE) == ("/2475-4", {"DbName": "parts", "Token": "t=", "Order": "asc"})


async def test_empty_note_is_sent_because_it_is_required() -> None:
    add: Any = lambda service: service.add_image("parts", "e_1", "", URL)  # noqa: E731
    assert (await sent(add, good({"DataId": "7"})))[1]["ExtraData"] == ""


async def test_successful_responses_are_parsed(caplog: pytest.LogCaptureFixture) -> None:
    match = {"EntityId": "e", "Score": 9.5, "DataId": "1", "ExtraData": "x", "ImageUrl": URL}
    answers = [good({"DbList": [{"Name": "a"}]}), good({"DataId": "7"}), good({"MatchList": [match, {}]})]
    async with client(*answers) as (service, _):
        assert await service.databases() == ("a",)
        assert await service.add_image("parts", "e", "", URL) == "7"
        assert await service.search("parts", URL, 3) == (HostedMatch("e", 9.5, "1", "x", URL),)
    assert "1 of 2 matches of the image search are unreadable" in caplog.text


async def test_repr_of_an_account_hides_its_key() -> None:
    assert KEY not in repr(ACCOUNT)
    assert KEY not in str(ACCOUNT)


async def test_base_url_may_have_a_path() -> None:
    for base in ("https://hosted.example/gateway", "https://hosted.example/gateway/"):
        async with client(good(), account=ShowApiAccount(base, KEY, "ds-7", 1000)) as (service, service_side):
            await service.create_database("parts")
        assert service_side.asked[0].path == "/gateway/2475-1"


async def test_failure_logs_one_warning_with_codes_and_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with client(upstream("IllegalUrlParameter", text="can't open it")) as (service, _):
        with pytest.raises(BackendCannotFetch) as caught:
            await service.add_image("parts", "e_1", "", URL)
    told = "add_image: IllegalUrlParameter: can't open it (HTTP 400, request 7463B73D)"
    assert str(caught.value) == told
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage() == f"the image search: BackendCannotFetch: {told}"


async def test_refused_picture_raises_a_user_error_and_logs_the_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client(upstream("InvalidFile.Resolution")) as (service, _):
        with pytest.raises(PictureRefused, match=r"^The image search refused this picture\. "):
            await service.search("parts", URL, 3)
    assert "InvalidFile.Resolution" in caplog.text


@pytest.mark.parametrize("call", ["databases", "add_image", "images", "search"])
async def test_response_without_data_may_have_been_done(call: str) -> None:
    for answer in (good(), good({}), wrapped({}), plain("")):
        async with client(answer) as (service, service_side):
            with pytest.raises(BackendGarbled) as caught:
                await CALLS[call](service)
        assert caught.value.may_have_been_done
        assert len(service_side.asked) == 1


async def test_oversized_response_is_refused() -> None:
    async with client(plain(b" " * 8_000_001)) as (service, _):
        with pytest.raises(BackendGarbled, match="more than 8,000,000 bytes"):
            await service.databases()


async def test_redirect_is_not_followed() -> None:
    async with client(plain("", 302)) as (service, service_side):
        with pytest.raises(BackendGarbled):
            await service.databases()
    assert len(service_side.asked) == 1


@pytest.mark.parametrize("call", ["add_image", "images", "search", "delete_images", "delete_database"])
async def test_refused_argument_is_backend_lost_if_the_database_is_not_listed(call: str) -> None:
    refused = upstream("ClientError.IllegalArgument")
    async with client(refused, good({"DbList": [{"Name": "others"}]})) as (service, service_side):
        with pytest.raises(BackendLost) as caught:
            await CALLS[call](service)
    assert not caught.value.may_have_been_done
    assert service_side.numbers[1:] == "2"
    async with client(refused, good({"DbList": [{"Name": "parts"}]})) as (service, _):
        await _plainly_refused(CALLS[call](service))
    async with client(refused, wrapped({}, -2)) as (service, _):
        await _plainly_refused(CALLS[call](service))


async def _plainly_refused(call: Any) -> None:
    with pytest.raises(BackendRefused) as caught:
        await call
    assert type(caught.value) is BackendRefused


async def test_calls_are_counted_by_operation_and_outcome() -> None:
    metrics = Counting()
    answers = [plain("", 502), good({"DbList": []}), upstream("Throttling"), good(), wrapped({}, -2)]
    async with client(*answers, metrics=metrics) as (service, _):
        await service.databases()
        await service.create_database("parts")
        with pytest.raises(BackendError):
            await service.create_database("parts")
    assert metrics.calls == [
        ("databases", "BackendDown"),
        ("databases", "answered"),
        ("create_database", "BackendThrottled"),
        ("create_database", "answered"),
        ("create_database", "BackendQuota"),
    ]
    assert metrics.charged == 2


async def test_invalid_url_is_refused_and_not_retried() -> None:
    async with client(httpx.UnsupportedProtocol("no scheme")) as (service, service_side):
        await _plainly_refused(service.databases())
    assert len(service_side.asked) == 1


async def test_unreachable_service_certainly_did_nothing() -> None:
    async with client(httpx.ConnectError("refused"), httpx.ConnectTimeout("slow")) as (service, service_side):
        with pytest.raises(BackendDown) as caught:
            await service.add_image("parts", "e_1", "", URL)
    assert not caught.value.may_have_been_done
    assert len(service_side.asked) == 3
