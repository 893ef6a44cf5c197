"""The files in docs/deploy parse, and name settings, routes, ports and metrics that exist."""

from __future__ import annotations

import configparser
import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from bot.cli.terminal.exit_codes import ExitCode
from bot.config.settings import DEFAULT_PORT, Settings
from bot.storage.sql.schema.tables import metadata
from bot.telemetry.prometheus import PrometheusMetrics
from tests.unit.web.web_application import WebClient

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "deploy"
SETTINGS = {item.metadata["name"] for item in dataclasses.fields(Settings)}
STOPS_WITHIN_S = 30


def _text(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _objects() -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(_text("kubernetes.yml")) if one]


def _routes() -> set[str]:
    async def answer(_request: Request) -> Response:
        return Response()

    app = WebClient(slack=answer, install=answer, oauth_redirect=answer).app
    starlette = vars(app)["_app"]
    assert isinstance(starlette, Starlette)
    return {str(vars(route)["path"]) for route in starlette.routes}


def test_folder_lists_its_files() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", _text("README.md")))
    assert listed == {path.name for path in FOLDER.iterdir()} - {"README.md", ".env"}


def _service() -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", _text("vsearch.service"), re.MULTILINE):
        values.setdefault(name, []).append(value)
    return values


def test_systemd_unit_starts_the_bot_with_its_settings() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(_text("vsearch.service"))
    assert parser.sections() == ["Unit", "Service", "Install"]
    service = _service()
    environment = dict(value.split("=") for value in service["Environment"])
    assert set(environment) <= SETTINGS
    settings = Settings.from_mapping(environment)
    assert settings.listen_address == ("127.0.0.1", DEFAULT_PORT)
    assert settings.data_dir == Path("/var/lib") / service["StateDirectory"][0]
    assert str(settings.backup_dir) in service["ReadWritePaths"]
    assert service["ExecStart"][0].endswith("-m bot serve")
    assert service["RestartPreventExitStatus"] == [str(int(ExitCode.SETTINGS))]
    assert int(service["TimeoutStopSec"][0]) >= STOPS_WITHIN_S


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd isn't installed")
def test_systemd_knows_every_line_of_the_unit() -> None:
    command = ["systemd-analyze", "verify", str(FOLDER / "vsearch.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    # The program isn't installed at the path that the unit names.
    complaints = [line for line in done.stderr.splitlines() if "vsearch.service" in line]
    assert [line for line in complaints if "is not executable" not in line] == []


def test_compose_file_gives_the_bot_its_settings() -> None:
    document = yaml.safe_load(_text("compose.yml"))
    services = document["services"]
    bot, database, proxy = services["bot"], services["db"], services["proxy"]
    assert (FOLDER / bot["build"]).resolve() == ROOT
    environment = {name: re.sub(r"\$\{(\w+):\?[^}]*\}", r"\1", value) for name, value in bot["environment"].items()}
    assert set(environment) <= SETTINGS
    settings = Settings.from_mapping(environment)
    assert (
        settings.database_url == f"postgresql://{database['environment']['POSTGRES_USER']}:POSTGRES_PASSWORD@db/vsearch"
    )
    assert database["environment"]["POSTGRES_DB"] == "vsearch"
    assert proxy["environment"]["UPSTREAM"] == f"bot:{settings.port}"
    assert int(bot["stop_grace_period"].removesuffix("s")) >= STOPS_WITHIN_S
    named = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert {name for name in named if not name.startswith(".")} == set(document["volumes"])
    assert all((FOLDER / name).exists() for name in named if name.startswith("."))


@pytest.mark.parametrize(
    ("name", "upstream", "hidden"),
    [
        ("Caddyfile", r"reverse_proxy \{\$UPSTREAM:(\S+)\}", r"@internal path (.+)"),
        ("nginx.conf", r"proxy_pass http://(\S+);", r"location = (\S+) \{ return 404"),
    ],
)
def test_reverse_proxies_lead_to_the_bot_and_hide_what_is_for_operators(name: str, upstream: str, hidden: str) -> None:
    text = re.sub(r"#.*", "", _text(name))
    assert text.count("{") == text.count("}")
    assert set(re.findall(upstream, text)) == {f"127.0.0.1:{DEFAULT_PORT}"}
    paths = {path for found in re.findall(hidden, text) for path in found.split()}
    assert paths == {"/metrics", "/readyz"}
    assert paths <= _routes()


def _pods() -> Iterator[dict[str, Any]]:
    for one in _objects():
        if one["kind"] == "Deployment":
            template = one["spec"]["template"]
            assert one["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
            yield template


def test_kubernetes_manifests_run_both_roles() -> None:
    [config] = [one["data"] for one in _objects() if one["kind"] == "ConfigMap"]
    assert set(config) <= SETTINGS
    routes, roles = _routes(), []
    docker = (ROOT / "Dockerfile").read_text("utf-8")
    for pod in _pods():
        spec, [container] = pod["spec"], pod["spec"]["containers"]
        own = {one["name"]: one["value"] for one in container["env"]}
        assert set(own) <= SETTINGS
        roles.append(Settings.from_mapping({**config, **own, "DATABASE_URL": "postgresql://me@db/bot"}).role)
        assert f"--uid {spec['securityContext']['runAsUser']}" in docker
        assert f"PORT={container['ports'][0]['containerPort']}" in docker
        assert pod["metadata"]["annotations"]["prometheus.io/path"] in routes
        assert spec["terminationGracePeriodSeconds"] >= STOPS_WITHIN_S
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            assert container[probe]["httpGet"]["path"] in routes
            assert container[probe]["httpGet"]["port"] == container["ports"][0]["name"]
        assert "VSEARCH_DATA_DIR=/data" in docker
        assert "/data" in {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in spec["volumes"]}
    assert roles == ["web", "worker"]


def test_kubernetes_ingress_serves_what_slack_and_people_need() -> None:
    [ingress] = [one for one in _objects() if one["kind"] == "Ingress"]
    paths = [one["path"] for one in ingress["spec"]["rules"][0]["http"]["paths"]]
    public = {route for route in _routes() if route.startswith(tuple(f"{path}/" for path in paths))}
    assert {route for route in _routes() if route not in public} == {"/healthz", "/readyz", "/metrics"}


def _metrics() -> set[str]:
    """Return all names under which Prometheus has the bot's metrics."""
    names: set[str] = set()
    for family in text_string_to_metric_families(PrometheusMetrics().render().decode()):
        endings = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",)}.get(family.type, ("",))
        names |= {family.name + ending for ending in endings}
    return names


def test_alerts_are_about_metrics_that_exist_and_lead_to_their_help() -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operating.md").read_text("utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    [group] = yaml.safe_load(_text("alerts.yml"))["groups"]
    known, used = _metrics(), set()
    for rule in group["rules"]:
        assert {"alert", "expr", "labels", "annotations"} <= set(rule)
        assert rule["expr"].count("(") == rule["expr"].count(")")
        used |= set(re.findall(r"vsearch_\w+", rule["expr"]))
        if runbook := rule["annotations"].get("runbook"):
            page, anchor = runbook.split("#")
            assert (page, anchor in anchors) == ("docs/operating.md", True), runbook
    assert used
    assert used <= known


def test_dashboard_shows_metrics_that_exist() -> None:
    dashboard = json.loads(_text("grafana.json"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert all(expression.count("(") == expression.count(")") for expression in expressions)
    used = {name for expression in expressions for name in re.findall(r"vsearch_\w+", expression)}
    assert used <= _metrics()


def _section(heading: str) -> str:
    return (ROOT / "docs" / "operating.md").read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_operators_are_told_how_to_rotate_every_secret() -> None:
    told = _section("Rotating secrets")
    secret = {item.metadata["name"] for item in dataclasses.fields(Settings) if item.metadata["secret"]}
    assert {name for name in secret if f"`{name}`" not in told} == set()
    [table] = re.findall(r"DELETE FROM (\w+) WHERE name = 'media'", told)
    assert table in metadata.tables


def test_help_for_a_silent_bot_names_metrics_and_settings_that_exist() -> None:
    told = _section("The bot doesn't answer")
    assert set(re.findall(r"vsearch_\w+", told)) <= _metrics() | {
        "vsearch_acknowledgement_seconds",
        "vsearch_job_seconds",
    }
    assert set(re.findall(r"`(VSEARCH_\w+)`", told)) <= SETTINGS
