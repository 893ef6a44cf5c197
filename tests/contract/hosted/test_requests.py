"""Prism, configured with the service's OpenAPI file, accepts every request of the client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable

import pytest

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.domain.errors import BotError
from tests.fakes.hosted.forms import FORM, OPENAPI
from tests.prism.validation_proxy import ValidatingProxy


@pytest.fixture
async def show_api(proxy: ValidatingProxy) -> AsyncIterator[ShowApiClient]:
    client = ShowApiClient(ShowApiAccount(proxy.url, "a-key", "a-source", 1000))
    yield client
    await client.close()


async def ignore_result(call: Awaitable[object]) -> None:
    """Await a call and ignore its result, because Prism's responses are made up."""
    with contextlib.suppress(BotError):
        await call


async def test_requests_with_every_field_are_accepted(proxy: ValidatingProxy, show_api: ShowApiClient) -> None:
    url = "https://bot.example/media/abc"
    await ignore_result(show_api.create_database("parts"))
    await ignore_result(show_api.databases())
    await ignore_result(show_api.add_image("parts", "e_1", "", url))
    await ignore_result(show_api.add_image("parts", "e_1", "阀门 100% & more = “yes”", url))
    await ignore_result(show_api.images("parts"))
    await ignore_result(show_api.images("parts", offset=10, limit=20, newest_first=True, prefix="e_"))
    await ignore_result(show_api.images("parts", token="dG9rZW4=", limit=20, newest_first=False, prefix="e_"))
    await ignore_result(show_api.search("parts", url, 200))
    await ignore_result(show_api.delete_images("parts", "e_1"))
    await ignore_result(show_api.delete_database("parts"))

    assert [verdict for verdict in proxy.verdicts if not verdict.accepted] == []
    assert [verdict.path[-1] for verdict in proxy.verdicts] == list("1233444576")
    paths = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    for path, described in paths.items():
        known = set(described["post"]["requestBody"]["content"][FORM]["schema"]["properties"])
        sent = {name for verdict in proxy.verdicts if verdict.path == path for name in verdict.form}
        assert sent == known, path


async def test_empty_fields_are_left_out(proxy: ValidatingProxy, show_api: ShowApiClient) -> None:
    await ignore_result(show_api.images("parts"))
    assert "" not in proxy.verdicts[0].form.values()
    assert not {"Token", "EntityIdPrefix"} & set(proxy.verdicts[0].form)
