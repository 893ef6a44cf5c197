"""Failures of the hosted service: the client raises the right error, retries if safe, and hides its key."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.adapters.showapi.http.client import ShowApiClient
from bot.domain.errors import (
    BackendCannotFetch,
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendQuota,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    PictureRefused,
)
from tests.contract.hosted.clients import IMPATIENT, READ_S, open_client
from tests.fakes.hosted import APP_KEY, HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.fakes.hosted.misbehaviours import Misbehaviour
from tests.fakes.jobs import eventually
from tests.fakes.web import WebServer

ATTEMPTS = 3
"""The number of attempts of a call."""

TOO_SLOW_S = 2 * READ_S


@dataclass(frozen=True)
class Case:
    """``adds``, ``searches``: how often each is asked for when the service always does this.

    ``patience``: of the client that meets it.
    """

    what: Misbehaviour
    error: type[Exception]
    doubtful: bool = False
    adds: int = 1
    searches: int = 1
    patience: dict[str, Any] = field(default_factory=dict)


def timeout_case(what: Misbehaviour) -> Case:
    """Return the case of a response that comes after the impatient client's timeout."""
    return Case(what, BackendTimeout, doubtful=True, searches=ATTEMPTS, patience=IMPATIENT)


def upstream_cases(code: str, error: type[Exception], status: int = 400, **more: bool | int) -> dict[str, Case]:
    """Return the cases of an error of the search behind the gateway, in its two forms."""
    return {
        f"{code} as HTTP {status}": Case(bad.upstream(code, status), error, **more),  # type: ignore[arg-type]
        f"{code} in a remark": Case(bad.in_remark(code), error, **more),  # type: ignore[arg-type]
    }


def gateway_cases(error: type[Exception], *codes: int | str, **more: bool | int) -> dict[str, Case]:
    return {f"{code!r}": Case(bad.gateway(code), error, **more) for code in codes}  # type: ignore[arg-type]


CASES: dict[str, Case] = {
    **gateway_cases(BackendQuota, -2, "-2", -1007),
    **gateway_cases(BackendCredentials, -1002, -1003, -1004, -1005, -1006, -1008, -1010, "-1010", -1011, -1012, -1013),
    **gateway_cases(BackendTimeout, -3, "-3", doubtful=True, searches=ATTEMPTS),
    **gateway_cases(BackendGarbled, -4, doubtful=True),
    **gateway_cases(BackendDown, -5, -6, -1000),
    **gateway_cases(BackendThrottled, -1009, "-1009", adds=ATTEMPTS, searches=ATTEMPTS),
    **gateway_cases(BackendRefused, -1, -4242, 7, "7", doubtful=True),
    **upstream_cases("ClientError.IllegalArgument", BackendRefused),
    **upstream_cases("IllegalUrlParameter", BackendCannotFetch),
    **upstream_cases("InvalidFile.Resolution", PictureRefused),
    **upstream_cases("AuthFailed", BackendCredentials, 403),
    **upstream_cases("EntityNotExist.Role", BackendCredentials, 403),
    **upstream_cases("InvalidAccessKeyId.NotFound", BackendCredentials),
    **upstream_cases("InvalidAccessKeyId.Inactive", BackendCredentials),
    **upstream_cases("Throttling", BackendThrottled, adds=ATTEMPTS, searches=ATTEMPTS),
    **upstream_cases("Throttling.User", BackendThrottled, 503, adds=ATTEMPTS, searches=ATTEMPTS),
    **upstream_cases("InternalError.Timeout", BackendTimeout, 500, doubtful=True, searches=ATTEMPTS),
    **upstream_cases("InternalError.Algo", BackendDown, 586, doubtful=True),
    **upstream_cases("InternalError.DB", BackendDown, 580, doubtful=True, searches=ATTEMPTS),
    **upstream_cases("InternalError.Cache", BackendDown, 585, doubtful=True, searches=ATTEMPTS),
    **upstream_cases("InternalError.ConnectPool", BackendDown, 591, doubtful=True, searches=ATTEMPTS),
    "a code and a status never heard of": Case(bad.upstream("Odd", 599), BackendDown, doubtful=True, searches=ATTEMPTS),
    "a code never heard of, in a remark": Case(bad.in_remark("Odd"), BackendRefused, doubtful=True),
    "a page with 200": Case(bad.html(), BackendGarbled, doubtful=True),
    "a page with 502": Case(bad.html(502), BackendDown, doubtful=True, searches=ATTEMPTS),
    "a page with 503": Case(bad.html(503), BackendDown, doubtful=True, searches=ATTEMPTS),
    "a page with 504": Case(bad.html(504), BackendTimeout, doubtful=True, searches=ATTEMPTS),
    "a page with 413": Case(bad.html(413), BackendRefused),
    "nothing": Case(bad.empty(), BackendGarbled, doubtful=True),
    "nothing with 502": Case(bad.empty(502), BackendDown, doubtful=True, searches=ATTEMPTS),
    "half an answer": Case(bad.plain('{"showapi_res_code": 0, "showapi_res'), BackendGarbled, doubtful=True),
    "a list": Case(bad.plain("[]"), BackendGarbled, doubtful=True),
    "no codes": Case(bad.plain("{}"), BackendGarbled, doubtful=True),
    "an empty body": Case(bad.empty_body(), BackendGarbled, doubtful=True),
    "no Data": Case(bad.without_data(), BackendGarbled, doubtful=True),
    "no DataId, no MatchList": Case(bad.without("DataId", "MatchList"), BackendGarbled, doubtful=True),
    "an answer that breaks off": Case(bad.truncated(), BackendGarbled, doubtful=True),
    "no answer": Case(bad.hang_up(), BackendDown, doubtful=True, searches=ATTEMPTS),
    "silence": timeout_case(bad.silent(TOO_SLOW_S)),
    "dripping": timeout_case(bad.dripping(READ_S / 10)),
    "done, then silence": timeout_case(bad.done_then(bad.silent(TOO_SLOW_S))),
    "done, then 502": Case(bad.done_then(bad.html(502)), BackendDown, doubtful=True, searches=ATTEMPTS),
    "done, then a page": Case(bad.done_then(bad.html()), BackendGarbled, doubtful=True),
    "done, then no answer": Case(bad.done_then(bad.hang_up()), BackendDown, doubtful=True, searches=ATTEMPTS),
    "the key repeated": Case(bad.echoing_the_key(), BackendRefused, doubtful=True),
    "the key repeated with 502": Case(bad.echoing_the_key(status=502), BackendRefused, doubtful=True),
}


async def failed(call: Awaitable[object], error: type[Exception]) -> Exception:
    with pytest.raises(error) as caught:
        await call
    assert type(caught.value) is error
    return caught.value


def loggable_text(error: BaseException) -> str:
    """Return everything that a log or an error report may show of an exception."""
    texts = []
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(texts)


@pytest.mark.parametrize("name", CASES)
async def test_each_failure_raises_its_error(
    show_api: ShowApiClient, service: HostedService, web: WebServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    case = CASES[name]
    await show_api.create_database("parts")
    service.always("add", case.what)
    service.always("search", case.what)

    async with open_client(service, **case.patience) as failing:
        error = await failed(failing.add_image("parts", "one", "", web.url("/0")), case.error)
        assert len(service.calls_of("add")) == case.adds
        assert len(service.images_of("parts")) <= 1
        if isinstance(error, BackendError):
            assert error.may_have_been_done == case.doubtful
        if service.images_of("parts"):
            assert case.doubtful
        searched = await failed(failing.search("parts", web.url("/0"), 5), case.error)
    assert len(service.calls_of("search")) == case.searches
    assert APP_KEY not in loggable_text(error) + loggable_text(searched) + caplog.text

    service.behave()
    await show_api.add_image("parts", "two", "", web.url("/1"))
    assert max(await show_api.search("parts", web.url("/1"), 5), key=lambda match: match.score).entity == "two"


async def test_single_failure_is_retried_if_safe(
    show_api: ShowApiClient, service: HostedService, web: WebServer
) -> None:
    await show_api.create_database("parts")
    await show_api.add_image("parts", "one", "", web.url("/0"))
    for operation in ("search", "list", "databases", "delete", "drop"):
        service.next(operation, bad.done_then(bad.html(502)), bad.hang_up())
    assert len(await show_api.search("parts", web.url("/0"), 5)) == 1
    assert len((await show_api.images("parts")).rows) == 1
    assert await show_api.databases() == ("parts",)
    await show_api.delete_images("parts", "one")
    assert service.images_of("parts") == ()
    await show_api.delete_database("parts")
    assert service.names == []


async def test_database_is_not_created_twice(show_api: ShowApiClient, service: HostedService) -> None:
    service.next("create", bad.done_then(bad.html(502)))
    error = await failed(show_api.create_database("parts"), BackendDown)
    assert isinstance(error, BackendError)
    assert error.may_have_been_done
    assert len(service.calls_of("create")) == 1
    assert service.names == ["parts"]


async def test_unreachable_service_certainly_did_nothing(
    show_api: ShowApiClient, service: HostedService, web: WebServer
) -> None:
    await show_api.create_database("parts")
    await service.down()
    error = await failed(show_api.add_image("parts", "one", "", web.url("/0")), BackendDown)
    assert isinstance(error, BackendError)
    assert not error.may_have_been_done
    await service.up()
    await show_api.add_image("parts", "one", "", web.url("/0"))
    assert len(service.images_of("parts")) == 1


async def test_circuit_opens_in_an_outage_and_closes_on_recovery(service: HostedService) -> None:
    async with open_client(service, failures=3, probe_after_s=0.3) as show_api:
        service.always(None, bad.html(502))
        await failed(show_api.databases(), BackendDown)
        assert show_api.is_down
        asked = len(service.calls)
        error = await failed(show_api.databases(), BackendDown)
        assert isinstance(error, BackendError)
        assert not error.may_have_been_done
        assert len(service.calls) == asked
        service.behave()
        await eventually(lambda: not show_api.is_down)
        assert await show_api.databases() == ()


async def test_alternative_answer_formats_are_parsed(
    show_api: ShowApiClient, service: HostedService, web: WebServer
) -> None:
    await show_api.create_database("parts")
    for operation in ("add", "search", "list"):
        service.next(operation, bad.codes_as_text(), bad.fee_in_body())
    for number in range(2):
        await show_api.add_image("parts", f"e_{number}", "", web.url(f"/{number}"))
        assert len((await show_api.images("parts")).rows) == number + 1
        assert len(await show_api.search("parts", web.url("/0"), 5)) == number + 1
    assert len(service.images_of("parts")) == 2


async def test_unreadable_matches_are_left_out(show_api: ShowApiClient, service: HostedService, web: WebServer) -> None:
    await show_api.create_database("parts")
    await show_api.add_image("parts", "one", "", web.url("/0"))

    async def searched(dress: Misbehaviour) -> list[tuple[str, float]]:
        service.next("search", dress)
        return sorted((match.entity, match.score) for match in await show_api.search("parts", web.url("/0"), 5))

    assert await searched(bad.scores_as_text()) == [("one", 10.0)]
    for unreadable in (bad.scores_not_numbers(), bad.without("EntityId")):
        with pytest.raises(BackendGarbled):
            await searched(unreadable)
    assert await searched(bad.without("ExtraData", "ImageUrl", "DataId")) == [("one", 10.0)]
    assert await searched(bad.doubled_matches()) == [("one", 5.0), ("one", 10.0)]
    assert await searched(bad.strange_matches("two")) == [("one", 10.0), ("two", 9.9)]


async def test_rows_with_missing_fields_are_read(show_api: ShowApiClient, service: HostedService) -> None:
    service.fill("parts", 3)
    service.next("list", bad.without("CreatedAt", "UpdatedAt", "ExtraData", "DataId", "Token", "TotalCount"))
    page = await show_api.images("parts")
    assert [row.entity for row in page.rows] == ["e_0", "e_1", "e_2"]
    assert page.rows[0].created_at is None
