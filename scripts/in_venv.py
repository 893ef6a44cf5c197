"""Run a program in the project's virtual environment, which is created or completed first.

    python3 scripts/in_venv.py [--chosen] run|dev [PROGRAM [ARGUMENT ...]]

``run`` installs the packages that the bot needs, ``dev`` also those of the tests. ``--chosen`` means that the user
named this Python, so an environment of another version is replaced. This file must parse on old versions of Python, so
that their users get a clear message.
"""

import os
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - see above

if sys.version_info < OLDEST:
    made = os.path.join(ROOT, ".venv", "bin", "python")  # noqa: PTH118
    if "--chosen" not in sys.argv[1:2] and os.path.exists(made):  # noqa: PTH110
        os.execv(made, [made] + sys.argv)  # noqa: RUF005
    sys.exit(
        "vsearch needs Python 3.11 or newer, and %s is %d.%d. Name another: make PYTHON=/path/to/python3.12"  # noqa: UP031
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )

sys.path.insert(0, ROOT)
from scripts.environment.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
