"""A move to the hosted service: pictures that are kept encoded once more are still those very pictures."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.hosted import HostedService
from tests.scenario.asking import VALVE
from tests.scenario.program import free_port, program


async def test_a_moved_picture_is_still_the_same_image(tmp_path: Path) -> None:
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
    assert len(service.calls_of("add")) == 1
