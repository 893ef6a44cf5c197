"""The forms of the answers, good and bad."""

from __future__ import annotations

import json
import uuid

from aiohttp import web

from tests.fakes.hosted.values import GatewayRefused, Json, Refused, UpstreamRefused


def envelope(body: Json, code: int | str = 0, error: str = "", fee: int = 0) -> Json:
    """What ShowAPI wraps every answer in."""
    return {
        "showapi_res_code": code,
        "showapi_res_error": error,
        "showapi_res_id": uuid.uuid4().hex[:24],
        "showapi_fee_num": fee,
        "showapi_res_body": body,
    }


def as_json(answer: Json, status: int = 200) -> web.Response:
    """Any answer in JSON; NaN passes, as it does in the wild."""
    return web.Response(text=json.dumps(answer, ensure_ascii=False), content_type="application/json", status=status)


def upstream_answer(code: str, text: str, status: int) -> web.Response:
    """The error of the service behind the gateway, as it looks there."""
    request_id = "7463B73D-35CC-4D19-A010-6B8D65D242EF"
    host = "imgsearch.cn-shanghai.aliyuncs.com"
    return as_json({"RequestId": request_id, "HostId": host, "Code": code, "Message": text}, status)


def remark_answer(code: str, text: str) -> web.Response:
    """The same error in the gateway's wrapping: its own code says that all is well."""
    return as_json(envelope({"ret_code": -1, "remark": f"{code}: {text}", "RequestId": "7463B73D-35CC"}))


def told(error: Refused, *, in_remarks: bool = False) -> web.Response:
    """How the service says no."""
    if isinstance(error, GatewayRefused):
        return as_json(envelope({}, error.code, error.text))
    assert isinstance(error, UpstreamRefused)
    if in_remarks:
        return remark_answer(error.code, error.text)
    return upstream_answer(error.code, error.text, error.status)
