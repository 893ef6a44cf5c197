"""Prism refuses what is not as the OpenAPI file has it, so that its acceptance means something."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.prism.validation_proxy import ValidatingProxy

GOOD = {"ds_id": "d", "DbName": "parts", "EntityId": "valve", "ExtraData": "", "ImageUrl": "https://h.example/p.jpg"}
ADD = "/2475-3"


async def ask(judged: ValidatingProxy, path: str = ADD, *, key: bool = True, **more: Any) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{judged.url}{path}", params={"appKey": "k"} if key else {}, **more)
    return answer.status_code


async def test_a_good_request_is_accepted(proxy: ValidatingProxy) -> None:
    assert await ask(proxy, data=GOOD) == 200
    assert proxy.verdicts[0].accepted
    assert proxy.verdicts[0].form == GOOD


@pytest.mark.parametrize("missing", GOOD)
async def test_a_request_without_one_of_its_fields_is_refused(proxy: ValidatingProxy, missing: str) -> None:
    assert await ask(proxy, data={name: value for name, value in GOOD.items() if name != missing}) == 422
    assert not proxy.verdicts[0].accepted
    assert missing in proxy.verdicts[0].violations


async def test_a_request_that_is_no_form_or_has_no_key_is_refused(proxy: ValidatingProxy) -> None:
    assert await ask(proxy, json=GOOD) == 415
    assert await ask(proxy, data=GOOD, key=False) == 401
    assert await ask(proxy, "/2475-8", data=GOOD) == 404
    assert not any(verdict.accepted for verdict in proxy.verdicts)
