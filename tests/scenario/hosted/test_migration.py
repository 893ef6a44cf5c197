"""A migration to the hosted service. Re-encoded pictures still count as the same images."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from tests.fakes.hosted import HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.fakes.hosted.answers import as_json
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.program import free_port, program
from tests.scenario.support.requests import VALVE


async def test_import_stopped_by_the_service_reports_progress_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        (folder / f"part_{number}.png").write_bytes(encoded(photo(320, 240, seed=number), "PNG"))
    port = str(free_port())
    async with HostedService() as service:
        settings = service.environment | {
            "VSEARCH_DATA_DIR": str(tmp_path / "data"),
            "PORT": port,
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{port}",
            "SHOWAPI_CALLS_PER_S": "1000",
        }
        command = ("import", str(folder), "--in", "parts", "--create")
        # The first add succeeds, then the account has no quota left. Concurrent adds are abandoned.
        service.always("add", fail_after(1, bad.gateway(-2)))
        async with program(settings, *command) as first:
            assert await first.end(None) == 1
        assert "so far. Run the same command again to continue." in " ".join(first.errors.split())
        assert "Buy more calls for the account." in " ".join(first.errors.split())
        service.behave()
        async with program(settings, *command) as second:
            assert await second.end(None) == 0, second.errors
        assert len(service.images_of(service.names[0])) == 6


def fail_after(well: int, then: bad.Misbehaviour) -> bad.Misbehaviour:
    """Return a misbehaviour that starts after a few successful calls."""
    left = well

    async def act(exchange: bad.Exchange) -> web.StreamResponse:
        nonlocal left
        left -= 1
        return as_json(await exchange.honest()) if left >= 0 else await then(exchange)

    return act


async def test_migrated_picture_is_still_the_same_image(tmp_path: Path) -> None:
    picture = tmp_path / "valve.png"
    picture.write_bytes(VALVE)
    port = str(free_port())
    async with HostedService() as service:
        embedded = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "PORT": port, "SHOWAPI_CALLS_PER_S": "1000"}
        embedded |= service.environment | {"PUBLIC_BASE_URL": f"http://127.0.0.1:{port}", "VSEARCH_BACKEND": "embedded"}
        hosted = embedded | {"VSEARCH_BACKEND": "showapi"}
        for arguments in (
            ("db", "create", "parts"),
            ("add", str(picture), "--in", "parts"),
            ("migrate", "--to", "showapi"),
        ):
            async with program(embedded, *arguments) as command:
                assert await command.end(None) == 0, command.errors
        async with program(hosted, "search", str(picture), "--in", "parts", "--json") as command:
            printed, _ = await command.process.communicate()
        assert '"verdict": "same image"' in printed.decode()
        async with program(hosted, "reconcile") as command:
            assert await command.end(None) == 0, command.errors
        unreachable = {name: value for name, value in embedded.items() if name not in {"PUBLIC_BASE_URL", "PORT"}}
        async with program(unreachable, "retire", "showapi", "--yes") as command:
            assert await command.end(None) == 0, command.errors
        assert service.names == []
    assert len(service.calls_of("add")) == 1
