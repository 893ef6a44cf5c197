"""Prism, which knows the OpenAPI file and nothing of us, accepts every request that our client makes."""

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


async def regardless(call: Awaitable[object]) -> None:
    """Prism makes its answers up: what the client makes of them doesn't matter here."""
    with contextlib.suppress(BotError):
        await call


async def test_every_request_of_our_client_is_accepted_with_every_field(
    proxy: ValidatingProxy, show_api: ShowApiClient
) -> None:
    url = "https://bot.example/media/abc"
    await regardless(show_api.create_database("parts"))
    await regardless(show_api.databases())
    await regardless(show_api.add_image("parts", "e_1", "", url))
    await regardless(show_api.add_image("parts", "e_1", "阀门 100% & more = “yes”", url))
    await regardless(show_api.images("parts"))
    await regardless(show_api.images("parts", offset=10, limit=20, newest_first=True, prefix="e_"))
    await regardless(show_api.images("parts", token="dG9rZW4=", limit=20, newest_first=False, prefix="e_"))
    await regardless(show_api.search("parts", url, 200))
    await regardless(show_api.delete_images("parts", "e_1"))
    await regardless(show_api.delete_database("parts"))

    assert [verdict for verdict in proxy.verdicts if not verdict.accepted] == []
    assert [verdict.path[-1] for verdict in proxy.verdicts] == list("1233444576")
    paths = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    for path, described in paths.items():
        known = set(described["post"]["requestBody"]["content"][FORM]["schema"]["properties"])
        sent = {name for verdict in proxy.verdicts if verdict.path == path for name in verdict.form}
        assert sent == known, path


async def test_our_client_leaves_out_what_is_empty(proxy: ValidatingProxy, show_api: ShowApiClient) -> None:
    await regardless(show_api.images("parts"))
    assert "" not in proxy.verdicts[0].form.values()
    assert not {"Token", "EntityIdPrefix"} & set(proxy.verdicts[0].form)
