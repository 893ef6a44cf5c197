"""What the service does instead of answering as it should. Import as ``bad``: ``service.next("add", bad.html(502))``.

Most answer without having done the work; ``done_then`` does it first, whatever is said afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.hosted.answers import as_json, envelope, remark_answer, upstream_answer
from tests.fakes.hosted.values import Call, GatewayRefused, Json, Refused

LONGER_THAN_CLIENTS_WAIT_S = 7.0
PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
CUT = b'{"showapi_res_code":0,"showapi_res_error":"","showapi_res_body":{"ret_co'


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and its honest answer once ``honest()`` has done the work (raises Refused)."""

    request: web.Request
    call: Call
    honest: Callable[[], Awaitable[Json]]


Misbehaviour = Callable[[Exchange], Awaitable[web.StreamResponse]]


# Errors that are told


def gateway(code: int | str, error: str = "系统错误") -> Misbehaviour:
    """ShowAPI's own code; the body is ``{}``."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        raise GatewayRefused(code, error)

    return act


def upstream(code: str, status: int = 400, text: str = "The specified parameter is not valid.") -> Misbehaviour:
    """The upstream's error with its HTTP status, 58x and 59x among them."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return upstream_answer(code, text, status)

    return act


def in_remark(code: str, text: str = "The specified parameter is not valid.") -> Misbehaviour:
    """The upstream's code inside ``remark``, with HTTP 200 and the gateway's 0."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return remark_answer(code, text)

    return act


def throttled() -> Misbehaviour:
    """The upstream has had too many calls."""
    return upstream("Throttling", 400, "Request was denied due to request throttling.")


def echoing_the_key(code: int | str = -1, status: int = 200) -> Misbehaviour:
    """The error text repeats the address that was called, with the appKey in it."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return as_json(envelope({}, code, f"bad request: {exchange.request.url}"), status)

    return act


# Answers that are none


def plain(body: bytes | str, status: int = 200, content_type: str = "application/json") -> Misbehaviour:
    """Exactly this."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        content = body.encode() if isinstance(body, str) else body
        return web.Response(body=content, status=status, content_type=content_type)

    return act


def html(status: int = 200, title: str = "nginx") -> Misbehaviour:
    """A page of some proxy."""
    return plain(PAGE.format(title), status, "text/html")


def empty(status: int = 200) -> Misbehaviour:
    """No body at all."""
    return plain(b"", status)


def empty_body() -> Misbehaviour:
    """The gateway's 0 with the body ``{}``: no ret_code, no Data."""
    return plain(json.dumps(envelope({})))


def truncated() -> Misbehaviour:
    """The answer breaks off before the length that was announced."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Content-Length": "400"}
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(exchange.request)
        await answer.write(CUT)
        # Once it is on its way.
        await asyncio.sleep(0.01)
        _cut_off(exchange)
        return answer

    return act


def hang_up() -> Misbehaviour:
    """The connection is closed without an answer."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        _cut_off(exchange)
        return web.Response()

    return act


# Answers that take their time


def slow(seconds: float = LONGER_THAN_CLIENTS_WAIT_S) -> Misbehaviour:
    """Nothing, for so long; then the work, though nobody may be waiting for it any more."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return as_json(await exchange.honest())

    return act


def silent(seconds: float = LONGER_THAN_CLIENTS_WAIT_S) -> Misbehaviour:
    """Nothing, for so long; then an HTTP 504, and no work."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response(status=504)

    return act


def dripping(pause_s: float = 0.5) -> Misbehaviour:
    """The honest answer, a byte at a time: no pause is long, all together are."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        content = json.dumps(await exchange.honest()).encode()
        answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(content))})
        await answer.prepare(exchange.request)
        for byte in content:
            await answer.write(bytes([byte]))
            await asyncio.sleep(pause_s)
        return answer

    return act


def done_then(then: Misbehaviour) -> Misbehaviour:
    """The work is done, and then the answer is something else."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        with contextlib.suppress(Refused):
            await exchange.honest()
        return await then(exchange)

    return act


# Honest answers in another dress


def altered(change: Callable[[Json], object]) -> Misbehaviour:
    """The work is done, and ``change`` has its way with the envelope."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.honest()
        change(answer)
        return as_json(answer)

    return act


def codes_as_text() -> Misbehaviour:
    """Both codes are ``"0"``."""

    def change(answer: Json) -> None:
        answer["showapi_res_code"] = "0"
        answer["showapi_res_body"]["ret_code"] = "0"

    return altered(change)


def fee_in_body() -> Misbehaviour:
    """``showapi_fee_num`` inside the body, where some samples have it."""
    return altered(lambda answer: answer["showapi_res_body"].update(showapi_fee_num=answer.pop("showapi_fee_num")))


def without_data() -> Misbehaviour:
    """``Data`` is missing."""
    return altered(lambda answer: answer["showapi_res_body"].pop("Data", None))


def without(*names: str) -> Misbehaviour:
    """These fields are missing, in ``Data`` and in each row of its lists."""

    def change(answer: Json) -> None:
        data = answer["showapi_res_body"]["Data"]
        for part in (data, *_rows(data)):
            for name in names:
                part.pop(name, None)

    return altered(change)


def scores_as_text() -> Misbehaviour:
    """``"9.8"`` instead of 9.8."""
    return altered(lambda answer: _set_scores(answer, lambda match: str(match["Score"])))


def scores_not_numbers() -> Misbehaviour:
    """NaN, for all."""
    return altered(lambda answer: _set_scores(answer, lambda match: math.nan))


def doubled_matches(seed: int = 0) -> Misbehaviour:
    """Each match twice, the second with a lower score, in no order."""

    def change(answer: Json) -> None:
        data = answer["showapi_res_body"]["Data"]
        again = [match | {"Score": match["Score"] / 2, "DataId": match["DataId"] + "9"} for match in data["MatchList"]]
        data["MatchList"] += again
        random.Random(seed).shuffle(data["MatchList"])

    return altered(change)


def strange_matches(*entities: str, score: float = 9.9) -> Misbehaviour:
    """Matches of entities that nobody gave to the service, before the honest ones."""

    def change(answer: Json) -> None:
        data = answer["showapi_res_body"]["Data"]
        strange = [
            {"DataId": f"99{number}", "EntityId": entity, "ExtraData": "", "ImageUrl": "", "Score": score}
            for number, entity in enumerate(entities)
        ]
        data["MatchList"] = strange + data["MatchList"]

    return altered(change)


def _rows(data: Json) -> list[Json]:
    return [row for rows in data.values() if isinstance(rows, list) for row in rows]


def _set_scores(answer: Json, score: Callable[[Json], object]) -> None:
    for match in answer["showapi_res_body"]["Data"]["MatchList"]:
        match["Score"] = score(match)


def _cut_off(exchange: Exchange) -> None:
    if exchange.request.transport is not None:
        exchange.request.transport.close()
