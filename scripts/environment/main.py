"""Prepare the virtual environment, and run a program in it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.environment.errors import SetupError
from scripts.environment.installer import install
from scripts.environment.packages import DEV, RUN, SETS, PackageSet
from scripts.environment.places import ROOT, create_private, output_folder
from scripts.environment.preflight import obstacles
from scripts.environment.proxies import loopback_without_proxy
from scripts.environment.venv import VirtualEnvironment

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Prepare the environment, then replace this process by the program. Return an exit code if that fails."""
    chosen = arguments[:1] == ["--chosen"]
    name, *program = arguments[1:] if chosen else arguments
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        output = output_folder()
        environment = VirtualEnvironment(output / ".venv", ROOT)
        prepare(environment, SETS[name], chosen=chosen)
    except KeyboardInterrupt:
        print("\nStopped. The next run continues from here.", file=sys.stderr)
        return INTERRUPTED
    except (SetupError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if program:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if name == DEV.name:
            print("$ " + shlex.join(program), flush=True)
        variables = variables_for(environment, output, os.environ)
        found = environment.programs / program[0]
        os.execvpe(str(found) if found.exists() else program[0], program, variables)
    return 0


def prepare(environment: VirtualEnvironment, packages: PackageSet, *, chosen: bool) -> None:
    """Create the environment if needed, and install what is missing. Raises SetupError and OSError."""
    output = environment.folder.parent
    # make test runs many commands in a row. Only the first one, which installs the packages, prints this.
    if output != environment.root and not (packages is DEV and environment.has(DEV)):
        print(f"This checkout is read-only. Generated files go to {output}.", flush=True)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    problem = environment.problem(version if chosen else None)
    if problem is None and environment.has(packages):
        return
    if problem is None and packages is DEV and environment.has(RUN):
        packages = packages.without(RUN)
    if found := list(obstacles(environment.folder, packages)):
        raise SetupError("\n".join(found))
    if output != environment.root:
        create_private(output)
    if problem is not None:
        if environment.folder.exists():
            print(f"The virtual environment in {environment.folder} {problem}. Creating it again.", flush=True)
        environment.create()
    install(environment.python, environment.site_packages, packages)
    environment.add_project()
    environment.add(packages.name)


def variables_for(environment: VirtualEnvironment, output: Path, outer: Mapping[str, str]) -> dict[str, str]:
    """Return the program's environment variables."""
    variables = {**outer, "VIRTUAL_ENV": str(environment.folder)}
    variables["PATH"] = f"{environment.programs}{os.pathsep}{outer.get('PATH', os.defpath)}"
    variables.pop("PYTHONHOME", None)
    variables |= loopback_without_proxy(outer)
    if output != environment.root:
        pytest_cache = shlex.quote(f"cache_dir={output}/.pytest_cache")
        variables |= {
            "PYTHONPYCACHEPREFIX": str(output / "pycache"),
            "RUFF_CACHE_DIR": str(output / ".ruff_cache"),
            "MYPY_CACHE_DIR": str(output / ".mypy_cache"),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(output / ".hypothesis"),
            "PYTEST_ADDOPTS": f"{outer.get('PYTEST_ADDOPTS', '')} -o {pytest_cache}",
        }
    return variables
