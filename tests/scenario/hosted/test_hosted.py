"""The bot with the hosted service: real pictures fetched over HTTP, and the service's failures."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp, build
from bot.blocks.ids import ActionId
from bot.config.settings import Settings
from bot.domain.channels import ChannelMode
from bot.web import serving
from handlers.slack.connection import socket_mode
from tests.fakes.hosted import HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.fakes.jobs import eventually
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import scene
from tests.scenario.conftest import PictureServer, fill, fill_as
from tests.scenario.support.program import free_port, program
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, run_command
from tests.scenario.support.shares import (
    ORIGINAL,
    entities,
    images_in,
    reply,
    retry_at_once,
    settled,
    watch,
)

StartHosted = Callable[..., Awaitable[SlackApp]]


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed jobs at once."""
    retry_at_once(monkeypatch)


@pytest.fixture
async def service() -> AsyncIterator[HostedService]:
    async with HostedService() as service:
        yield service


def settings_of(slack: FakeSlack, service: HostedService, folder: Path, port: int, **more: str) -> dict[str, str]:
    return {
        **slack.environment,
        **service.environment,
        "SHOWAPI_CALLS_PER_S": "1000",
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
        "VSEARCH_DATA_DIR": str(folder / "data"),
        **more,
    }


@pytest.fixture
async def start(slack: FakeSlack, service: HostedService, tmp_path: Path) -> AsyncIterator[StartHosted]:
    """Start the bot with its web server."""
    async with AsyncExitStack() as stack:

        async def begin(**environment: str) -> SlackApp:
            port = free_port()
            settings = Settings.from_mapping(settings_of(slack, service, tmp_path, port, **environment))
            app = await stack.enter_async_context(build(settings))
            await stack.enter_async_context(serving(app.web, "127.0.0.1", port, grace_s=1))
            token = settings.slack_app_token or ""
            await stack.enter_async_context(socket_mode(app.bolt, app.wrapper, token, settings.slack_api_url))
            return app

        yield begin


async def test_collected_image_is_found_and_deleted_with_its_message(
    slack: FakeSlack, service: HostedService, start: StartHosted
) -> None:
    app = await start()
    await fill(app, "parts", gasket=GASKET)
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(VALVE, "valve_0042.png"), text="Brass, 3/4 inch")
    assert await slack.wait_for_reaction(shared) == "white_check_mark"
    await watch(app, ChannelMode.LOOKUP, "parts")
    answer = await reply(slack, await slack.upload(VALVE))
    assert "10/10" in answer.everything
    assert "same image" in answer.everything
    assert "valve_0042" in answer.everything
    assert "Brass, 3/4 inch" in answer.everything
    assert len(service.images_of(service.names[0])) == 2
    await slack.delete_message(shared)
    await settled(slack, app)
    assert await entities(app) == ["gasket"]
    await eventually(lambda: len(service.images_of(service.names[0])) == 1)


async def test_copy_is_asked_about_before_the_service_gets_it(
    slack: FakeSlack, service: HostedService, start: StartHosted
) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL)
    # The service's own scores prove no copy: our fingerprints do.
    await slack.upload(slack.host(encoded(scene(1), "JPEG", quality=40), "copy.jpg"))
    question = await run_command(slack, "add last in:parts id:mine")
    assert "`chair_7` in `parts`. Add it anyway?" in question.everything
    assert len(service.images_of(service.names[0])) == 1
    await slack.press(question, "add_anyway")
    await settled(slack, app)
    assert await entities(app) == ["chair_7", "mine"]


async def test_adds_with_lost_answers_are_stored_once(
    slack: FakeSlack, service: HostedService, start: StartHosted
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    service.next("add", bad.done_then(bad.html(502)), bad.hang_up(), bad.throttled(), bad.done_then(bad.truncated()))
    shared = [await slack.upload(slack.host(content, name)) for content, name in ((VALVE, "a.png"), (GASKET, "b.png"))]
    for message in shared:
        assert await slack.wait_for_reaction(message) == "white_check_mark"
    await settled(slack, app)
    assert len(await images_in(app)) == len(service.images_of(service.names[0])) == 2


async def test_copies_are_found_with_a_caveat_while_the_service_is_down(
    slack: FakeSlack, service: HostedService, start: StartHosted
) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await service.down()
    known = await reply(slack, await slack.upload(VALVE))
    assert "same image" in known.everything
    assert "can't be reached" in known.everything
    unknown = await reply(slack, await slack.upload(UNRELATED))
    assert "can't be reached" in unknown.everything


async def test_guard_adds_nothing_while_search_is_unavailable(
    slack: FakeSlack, service: HostedService, start: StartHosted
) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    await watch(app, ChannelMode.GUARD, "parts")
    service.next("search", bad.upstream("InternalError.Algo", 586))
    await slack.upload(GASKET)
    await eventually(lambda: len(service.calls_of("add")) == 2)
    await settled(slack, app)
    assert len(service.calls_of("search")) == 2
    assert len(await images_in(app)) == 2


async def test_refused_key_is_one_sentence_in_slack_and_a_code_in_the_log(
    slack: FakeSlack,
    service: HostedService,
    start: StartHosted,
    pictures: PictureServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve=VALVE)
    service.always(None, bad.gateway(-1006, "no permission"))
    answer = await run_command(slack, f"search {pictures.url('v.png', VALVE)} in:parts")
    assert "doesn't accept this bot's key" in answer.everything
    assert "-1006" in caplog.text
    assert "1006" not in answer.everything


async def test_commands_add_search_list_and_delete(
    slack: FakeSlack, service: HostedService, start: StartHosted, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    assert "parts" in (await run_command(slack, "db create parts")).everything
    url = pictures.url("v.png", VALVE)
    assert "valve" in (await run_command(slack, f"add {url} in:parts id:valve note:“the big one”")).everything
    assert "already" in (await run_command(slack, f"add {url} in:parts id:valve")).everything
    assert "the big one" in (await run_command(slack, f"search {url} in:parts")).everything
    assert "valve" in (await run_command(slack, "list in:parts")).everything
    question = await run_command(slack, "delete valve in:parts")
    await slack.press(question, ActionId.DELETE_ENTITY, user=SOMEONE)
    await eventually(lambda: not service.images_of(service.names[0]))
    assert await entities(app) == []


async def test_uninstalling_leaves_nothing_at_the_service(
    slack: FakeSlack, service: HostedService, start: StartHosted
) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"valve": VALVE})
    await fill_as(SOMEONE, app, "logos", {"gasket": GASKET})
    slack.uninstall()
    await eventually(lambda: service.names == [])


async def test_key_never_appears_in_a_debug_log(slack: FakeSlack, service: HostedService, tmp_path: Path) -> None:
    port = free_port()
    chatty = {"PORT": str(port), "VSEARCH_LOG_LEVEL": "debug", "VSEARCH_LOG_FORMAT": "json"}
    settings = settings_of(slack, service, tmp_path, port, **chatty)
    async with program(settings, "db", "create", "parts") as made:
        assert await made.end(None) == 0
    async with program(settings, "serve") as bot:
        await bot.wait_until_listening(f"http://127.0.0.1:{port}")
        await slack.socket_mode.connected()
        service.next("search", bad.echoing_the_key(), bad.html(502))
        for trouble in (bad.echoing_the_key(), bad.hang_up(), bad.upstream("AuthFailed", 403)):
            service.next("add", trouble)
        await slack.command(f"add http://127.0.0.1:{port}/nothing in:parts")
        for content in (VALVE, GASKET):
            await reply(slack, await slack.upload(content))
        await bot.end()
    assert bot.errors
    assert all(json.loads(line) for line in bot.errors.splitlines())
    assert service.app_key not in bot.errors
    assert not any(service.app_key in message.everything for message in slack.transcript)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("PUBLIC_BASE_URL", "needs PUBLIC_BASE_URL"),
        ("SHOWAPI_APP_KEY", "needs SHOWAPI_APP_KEY"),
        ("SHOWAPI_DS_ID", "needs SHOWAPI_DS_ID"),
    ],
)
async def test_does_not_start_without_its_settings(
    slack: FakeSlack, service: HostedService, tmp_path: Path, missing: str, sentence: str
) -> None:
    settings = settings_of(slack, service, tmp_path, 9)
    settings.pop(missing)
    async with program(settings, "serve") as bot:
        assert await bot.end(None) == 3
    assert sentence in bot.errors
    assert len(bot.errors.strip().splitlines()) == 1


async def test_command_line_serves_pictures_to_the_service(
    slack: FakeSlack, service: HostedService, tmp_path: Path
) -> None:
    port = free_port()
    settings = settings_of(slack, service, tmp_path, port, PORT=str(port))
    picture = tmp_path / "valve.png"
    picture.write_bytes(VALVE)
    for arguments in (("db", "create", "parts"), ("add", str(picture), "--in", "parts"), ("search", str(picture))):
        async with program(settings, *arguments) as command:
            assert await command.end(None) == 0, command.errors
    assert [image.entity[-32:] for image in service.images_of(service.names[0])]
    assert len(service.calls_of("search")) == 1
