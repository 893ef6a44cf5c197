"""The virtual environment: when it is created anew, which packages it has, and how programs run in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.environment import main
from scripts.environment.packages import DEV, RUN
from scripts.environment.proxies import loopback_without_proxy
from scripts.environment.venv import VirtualEnvironment

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def environment(tmp_path: Path) -> VirtualEnvironment:
    """An environment without packages, in a path with blanks and non-ASCII letters."""
    root = tmp_path / "a checkout, größer"
    (root / "bot").mkdir(parents=True)
    (root / "bot" / "__init__.py").touch()
    (root / "bot" / "__main__.py").write_text("import sys; print(sys.argv[1:])")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / ".venv")], check=True)
    environment = VirtualEnvironment(root / ".venv", root)
    pip = environment.site_packages / "pip-26.0.dist-info"
    pip.mkdir()
    (pip / "RECORD").touch()
    return environment


def test_new_environment_has_no_problem(environment: VirtualEnvironment) -> None:
    assert environment.problem() is None
    assert environment.problem(VERSION) is None


def test_missing_environment_is_incomplete(tmp_path: Path) -> None:
    assert VirtualEnvironment(tmp_path / ".venv", tmp_path).problem() == "is incomplete"


def test_interrupted_creation_is_incomplete(environment: VirtualEnvironment) -> None:
    (environment.site_packages / "pip-26.0.dist-info" / "RECORD").unlink()
    assert environment.problem() == "is incomplete"


def test_moved_environment_is_created_anew(environment: VirtualEnvironment) -> None:
    moved = environment.root.rename(environment.root.with_name("moved"))
    assert VirtualEnvironment(moved / ".venv", moved).problem() == "was created in another folder"


def test_environment_whose_python_is_gone_is_created_anew(environment: VirtualEnvironment) -> None:
    environment.python.unlink()
    environment.python.symlink_to("/no/such/python")
    assert environment.problem() == f"was created with Python {VERSION}, which is no longer installed"


def test_environment_of_another_version_than_chosen_is_created_anew(environment: VirtualEnvironment) -> None:
    assert environment.problem("3.99") == f"was created with Python {VERSION}, and you chose 3.99"


def test_dev_packages_include_run_packages(environment: VirtualEnvironment) -> None:
    assert not environment.has(RUN)
    environment.add(RUN.name)
    assert environment.has(RUN)
    assert not environment.has(DEV)
    environment.add(DEV.name)
    assert environment.has(RUN)
    assert environment.has(DEV)


def test_run_and_dev_packages_have_the_same_versions() -> None:
    """Otherwise, alternating ``make run`` and ``make test`` would reinstall packages."""

    def pins(path: Path) -> list[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line.partition(" \\")[0] for line in lines if line[:1].isalnum()]

    def versions(path: Path) -> set[str]:
        # A package may be needed on more platforms for testing.
        return {pin.partition(" ;")[0] for pin in pins(path)}

    assert versions(RUN.file) <= versions(DEV.file)
    assert len(pins(RUN.file)) == RUN.count


def test_program_runs_from_any_folder_and_imports_the_checkout(environment: VirtualEnvironment, tmp_path: Path) -> None:
    environment.add_project()
    (tmp_path / "bot.py").write_text("raise SystemExit('the wrong bot')")
    command = [str(environment.programs / "vsearch"), "a b", "c"]
    assert subprocess.check_output(command, cwd=tmp_path, text=True) == "['a b', 'c']\n"


def test_programs_run_in_the_environment(environment: VirtualEnvironment) -> None:
    variables = main.variables_for(environment, environment.root, {"PATH": "/bin", "PYTHONHOME": "/elsewhere"})
    assert variables == {"PATH": f"{environment.programs}:/bin", "VIRTUAL_ENV": str(environment.folder)}


def test_caches_are_outside_a_read_only_checkout(environment: VirtualEnvironment, tmp_path: Path) -> None:
    output = tmp_path / "of the user"
    variables = main.variables_for(environment, output, {"PYTEST_ADDOPTS": "-x"})
    for name in ("PYTHONPYCACHEPREFIX", "RUFF_CACHE_DIR", "MYPY_CACHE_DIR", "HYPOTHESIS_STORAGE_DIRECTORY"):
        assert variables[name].startswith(str(output))
    assert variables["PYTEST_ADDOPTS"] == f"-x -o 'cache_dir={output}/.pytest_cache'"


def test_loopback_requests_use_no_proxy() -> None:
    assert loopback_without_proxy({"PATH": "/bin"}) == {}
    given = loopback_without_proxy({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "inner,localhost"})
    assert given == dict.fromkeys(("no_proxy", "NO_PROXY"), "inner,localhost,127.0.0.1,::1")
