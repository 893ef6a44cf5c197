"""Cells of a CSV file that a spreadsheet program would run as formulas, and how an export makes them harmless.

A cell that begins with ``=``, ``+``, ``-`` or ``@``, or with a tab or line break, gets an apostrophe in front. A cell
with apostrophes before such a beginning gets one too, or an import could not tell whose apostrophe it is.
"""

from __future__ import annotations

import re

# Spreadsheet programs skip blanks before a formula and take the wide forms of the signs, which Asian keyboards type.
_FORMULA = r"(?:\s*[=+\-@＝＋－＠]|[\t\r\n])"
_RUN_OR_QUOTED = re.compile(f"'*{_FORMULA}")
_QUOTED = re.compile(f"'+{_FORMULA}")


def defuse(cell: str) -> str:
    """Return the cell so that no spreadsheet program runs it."""
    return f"'{cell}" if _RUN_OR_QUOTED.match(cell) else cell


def restore(cell: str) -> str:
    """Undo ``defuse``. An apostrophe that is part of a text, as in ``'tis``, stays."""
    return cell[1:] if _QUOTED.match(cell) else cell
