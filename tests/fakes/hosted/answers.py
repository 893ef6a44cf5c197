"""Formats of the answers, successful and failed."""

from __future__ import annotations

import json
import uuid

from aiohttp import web

from tests.fakes.hosted.values import GatewayRefused, Json, Refused, UpstreamRefused


def envelope(body: Json, code: int | str = 0, error: str = "", fee: int = 0) -> Json:
    """Return the envelope in which ShowAPI wraps every answer."""
    return {
        "showapi_res_code": code,
        "showapi_res_error": error,
        "showapi_res_id": uuid.uuid4().hex[:24],
        "showapi_fee_num": fee,
        "showapi_res_body": body,
    }


def as_json(answer: Json, status: int = 200) -> web.Response:
    """Return any answer as JSON. NaN is allowed, since the real service sends it."""
    return web.Response(text=json.dumps(answer, ensure_ascii=False), content_type="application/json", status=status)


def upstream_answer(code: str, text: str, status: int) -> web.Response:
    """Return an upstream error as the upstream service sends it."""
    request_id = "7463B73D-35CC-4D19-A010-6B8D65D242EF"
    host = "imgsearch.cn-shanghai.aliyuncs.com"
    return as_json({"RequestId": request_id, "HostId": host, "Code": code, "Message": text}, status)


def remark_answer(code: str, text: str) -> web.Response:
    """Return an upstream error inside the gateway's envelope, whose own code reports success."""
    return as_json(envelope({"ret_code": -1, "remark": f"{code}: {text}", "RequestId": "7463B73D-35CC"}))


def refusal_answer(error: Refused, *, in_remarks: bool = False) -> web.Response:
    """Return the service's answer to a refused request."""
    if isinstance(error, GatewayRefused):
        return as_json(envelope({}, error.code, error.text))
    assert isinstance(error, UpstreamRefused)
    if in_remarks:
        return remark_answer(error.code, error.text)
    return upstream_answer(error.code, error.text, error.status)
