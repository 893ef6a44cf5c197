"""Prism refuses requests that violate the OpenAPI file, so its acceptance in other tests is meaningful."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.prism.validation_proxy import ValidatingProxy

VALID = {"ds_id": "d", "DbName": "parts", "EntityId": "valve", "ExtraData": "", "ImageUrl": "https://h.example/p.jpg"}
ADD = "/2475-3"


async def ask(proxy: ValidatingProxy, path: str = ADD, *, key: bool = True, **more: Any) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{proxy.url}{path}", params={"appKey": "k"} if key else {}, **more)
    return answer.status_code


async def test_valid_request_is_accepted(proxy: ValidatingProxy) -> None:
    assert await ask(proxy, data=VALID) == 200
    assert proxy.verdicts[0].accepted
    assert proxy.verdicts[0].form == VALID


@pytest.mark.parametrize("missing", VALID)
async def test_request_with_a_missing_field_is_refused(proxy: ValidatingProxy, missing: str) -> None:
    assert await ask(proxy, data={name: value for name, value in VALID.items() if name != missing}) == 422
    assert not proxy.verdicts[0].accepted
    assert missing in proxy.verdicts[0].violations


async def test_request_without_a_form_or_key_is_refused(proxy: ValidatingProxy) -> None:
    assert await ask(proxy, json=VALID) == 415
    assert await ask(proxy, data=VALID, key=False) == 401
    assert await ask(proxy, "/2475-8", data=VALID) == 404
    assert not any(verdict.accepted for verdict in proxy.verdicts)
