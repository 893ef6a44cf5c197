"""The entry point of ``python -m bot`` and of the ``vsearch`` script."""

from __future__ import annotations

import sys
from typing import NoReturn

from bot.cli.main import run


def main() -> NoReturn:
    """Run the command line and exit with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
