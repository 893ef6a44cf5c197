"""Misbehaviours that replace the right answer. Import as ``bad``: ``service.next("add", bad.html(502))``.

Most of them answer without doing the work. ``done_then`` does the work first, whatever it then answers.
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
    """A request, and its right answer: ``honest()`` does the work and returns it (raises Refused)."""

    request: web.Request
    call: Call
    honest: Callable[[], Awaitable[Json]]


Misbehaviour = Callable[[Exchange], Awaitable[web.StreamResponse]]


# Error answers


def gateway(code: int | str, error: str = "系统错误") -> Misbehaviour:
    """Answer with ShowAPI's own code and the body ``{}``."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        raise GatewayRefused(code, error)

    return act


def upstream(code: str, status: int = 400, text: str = "The specified parameter is not valid.") -> Misbehaviour:
    """Answer with the upstream's error and HTTP status, including 58x and 59x."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return upstream_answer(code, text, status)

    return act


def in_remark(code: str, text: str = "The specified parameter is not valid.") -> Misbehaviour:
    """Answer with the upstream's code inside ``remark``, HTTP 200 and the gateway's code 0."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return remark_answer(code, text)

    return act


def throttled() -> Misbehaviour:
    """Answer that the upstream has had too many calls."""
    return upstream("Throttling", 400, "Request was denied due to request throttling.")


def echoing_the_key(code: int | str = -1, status: int = 200) -> Misbehaviour:
    """Answer with an error text that repeats the called address, including the appKey."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return as_json(envelope({}, code, f"bad request: {exchange.request.url}"), status)

    return act


# Invalid answers


def plain(body: bytes | str, status: int = 200, content_type: str = "application/json") -> Misbehaviour:
    """Answer exactly this."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        content = body.encode() if isinstance(body, str) else body
        return web.Response(body=content, status=status, content_type=content_type)

    return act


def html(status: int = 200, title: str = "nginx") -> Misbehaviour:
    """Answer with a proxy's HTML page."""
    return plain(PAGE.format(title), status, "text/html")


def empty(status: int = 200) -> Misbehaviour:
    """Answer without a body."""
    return plain(b"", status)


def empty_body() -> Misbehaviour:
    """Answer with the gateway's code 0 and the body ``{}``, without ret_code and Data."""
    return plain(json.dumps(envelope({})))


def truncated() -> Misbehaviour:
    """Close the connection before the announced length was sent."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Content-Length": "400"}
        answer = web.StreamResponse(headers=headers)
        await answer.prepare(exchange.request)
        await answer.write(CUT)
        # Wait until the headers are sent.
        await asyncio.sleep(0.01)
        _cut_off(exchange)
        return answer

    return act


def hang_up() -> Misbehaviour:
    """Close the connection without an answer."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        _cut_off(exchange)
        return web.Response()

    return act


# Slow answers


def slow(seconds: float = LONGER_THAN_CLIENTS_WAIT_S) -> Misbehaviour:
    """Wait, then do the work, even if the client has stopped waiting."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return as_json(await exchange.honest())

    return act


def silent(seconds: float = LONGER_THAN_CLIENTS_WAIT_S) -> Misbehaviour:
    """Wait, then answer HTTP 504 without doing the work."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response(status=504)

    return act


def dripping(pause_s: float = 0.5) -> Misbehaviour:
    """Send the right answer a byte at a time: no pause is long, but all together are."""

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
    """Do the work, then answer something else."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        with contextlib.suppress(Refused):
            await exchange.honest()
        return await then(exchange)

    return act


# Right answers in other formats


def altered(change: Callable[[Json], object]) -> Misbehaviour:
    """Do the work, and let ``change`` modify the envelope."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.honest()
        change(answer)
        return as_json(answer)

    return act


def codes_as_text() -> Misbehaviour:
    """Send both codes as the text ``"0"``."""

    def change(answer: Json) -> None:
        answer["showapi_res_code"] = "0"
        answer["showapi_res_body"]["ret_code"] = "0"

    return altered(change)


def fee_in_body() -> Misbehaviour:
    """Send ``showapi_fee_num`` inside the body, as in some samples."""
    return altered(lambda answer: answer["showapi_res_body"].update(showapi_fee_num=answer.pop("showapi_fee_num")))


def without_data() -> Misbehaviour:
    """Leave ``Data`` out."""
    return altered(lambda answer: answer["showapi_res_body"].pop("Data", None))


def without(*names: str) -> Misbehaviour:
    """Leave these fields out, in ``Data`` and in each row of its lists."""

    def change(answer: Json) -> None:
        data = answer["showapi_res_body"]["Data"]
        for part in (data, *_rows(data)):
            for name in names:
                part.pop(name, None)

    return altered(change)


def scores_as_text() -> Misbehaviour:
    """Send scores as text: ``"9.8"`` instead of 9.8."""
    return altered(lambda answer: _set_scores(answer, lambda match: str(match["Score"])))


def scores_not_numbers() -> Misbehaviour:
    """Send NaN for all scores."""
    return altered(lambda answer: _set_scores(answer, lambda match: math.nan))


def doubled_matches(seed: int = 0) -> Misbehaviour:
    """Send each match twice, the second time with a lower score, unsorted."""

    def change(answer: Json) -> None:
        data = answer["showapi_res_body"]["Data"]
        again = [match | {"Score": match["Score"] / 2, "DataId": match["DataId"] + "9"} for match in data["MatchList"]]
        data["MatchList"] += again
        random.Random(seed).shuffle(data["MatchList"])

    return altered(change)


def strange_matches(*entities: str, score: float = 9.9) -> Misbehaviour:
    """Send matches of unknown entities before the right ones."""

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
