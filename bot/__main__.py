"""The entry point of ``python -m bot`` and of the ``vsearch`` script."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line and exit with its exit code."""
    try:
        from bot.cli.main import run  # noqa: PLC0415 - so that Ctrl-C meanwhile prints no traceback

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
        if "--json" in sys.argv:
            sys.stdout.write(f'{{"error": "Interrupted.", "exit_code": {code}}}\n')
        else:
            sys.stderr.write("Interrupted.\n")
    if code == INTERRUPTED:
        # Threads that still compute would keep the program for seconds, and their results are lost anyway.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
