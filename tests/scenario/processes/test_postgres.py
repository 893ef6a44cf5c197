"""The program on PostgreSQL with pgvector: commands, and migrations between its two engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.cli.terminal.exit_codes import ExitCode
from tests.scenario.support.program import program
from tests.scenario.support.requests import GASKET, VALVE


async def run_json(settings: dict[str, str], *arguments: str) -> Any:
    """Run a command that succeeds, and return its JSON output."""
    async with program(settings, *arguments, "--json") as command:
        printed, errors = await command.process.communicate()
    assert command.process.returncode == 0, errors.decode()
    return json.loads(printed)


async def run_refused(settings: dict[str, str], *arguments: str) -> str:
    """Run a command that fails, and return its error."""
    async with program(settings, *arguments) as command:
        _, errors = await command.process.communicate()
    assert command.process.returncode == ExitCode.USAGE
    return " ".join(errors.decode().split())


async def test_commands_and_migrations_work_on_postgresql(tmp_path: Path, postgres_address: str) -> None:
    for name, content in (("valve.png", VALVE), ("gasket.png", GASKET)):
        (tmp_path / name).write_bytes(content)
    embedded = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": postgres_address}
    pgvector = embedded | {"VSEARCH_BACKEND": "pgvector"}
    checks = {check["check"]: check for check in (await run_json(pgvector, "doctor"))["checks"]}
    assert {checks[name]["state"] for name in ("PostgreSQL", "pgvector", "Tables")} == {"ok"}
    await run_json(embedded, "db", "create", "parts")
    await run_json(embedded, "add", str(tmp_path / "valve.png"), "--in", "parts")
    await run_json(embedded, "migrate", "--to", "pgvector")
    await run_json(pgvector, "add", str(tmp_path / "gasket.png"), "--in", "parts")
    for name in ("valve", "gasket"):
        found = await run_json(pgvector, "search", str(tmp_path / f"{name}.png"), "--in", "parts")
        assert (found["matches"][0]["verdict"], found["matches"][0]["score"]) == ("same image", 10)
        assert found["matches"][0]["entity"] == name
    assert not (tmp_path / "data" / "pictures").exists()
    assert (await run_json(pgvector, "reindex", "--in", "parts"))["done"] == 0
    await run_json(pgvector, "reconcile")
    # Both engines search the same images, so neither may delete them from the other.
    assert "must stay" in await run_refused(pgvector, "retire", "embedded", "--yes")
    back = await run_json(pgvector, "migrate", "--to", "embedded")
    assert [(one["database"], one["in_back_end"], one["added"]) for one in back["databases"]] == [("parts", 2, 0)]
    await run_json(embedded, "retire", "pgvector", "--yes")
    await run_json(embedded, "reconcile")
    for settings in (embedded, pgvector):
        found = await run_json(settings, "search", str(tmp_path / "gasket.png"), "--in", "parts")
        assert (found["matches"][0]["entity"], found["matches"][0]["verdict"]) == ("gasket", "same image")
