"""The sentence that says what a comparison picture shows."""

from __future__ import annotations

from bot.blocks.mrkdwn import capitalised, count
from bot.domain.comparison import ComparisonFacts, ComparisonKind, Sides, Tone

TITLE = "Compare"
IN_PROGRESS = "Comparing the two pictures…"
ALT = "Both pictures side by side. {}"
ASKED_HIDDEN = "The picture that was searched with is in a conversation that you can't see."
NOT_SHOWN = "The picture couldn't be uploaded to Slack just now. Try again in a minute."


def compared_with(title: str, database: str, origin: str) -> str:
    """Return which stored image a picture is compared with, and who brought it when."""
    return f"Compared with {title} in {database}  ·  {origin}"


_TONES = {
    Tone.GRAY: "it is black and white",
    Tone.COLOURED: "it has colours where the stored one is black and white",
    Tone.INVERTED: "its colours are inverted",
    Tone.BRIGHTER: "it is brighter",
    Tone.DARKER: "it is darker",
    Tone.OTHER: "its colours were changed",
}
_HALF_TURN, _QUARTER = 180.0, 90.0
_EXACT = 1.0
"""Degrees within which an angle counts as a multiple of 90."""
_LARGER = 0.5
"""Share of a picture beyond the stored one from which that is a part of it."""


def sentence(facts: ComparisonFacts) -> str:
    """Return what was done to the asked picture: ``The right 20 % were cut off, and it is mirrored.`` is one."""
    clauses = [*_cut(facts), *_pose(facts), *_size(facts), *_added(facts)]
    if facts.tone in _TONES:
        clauses.append(_TONES[facts.tone])
    if facts.kind is ComparisonKind.RECOLOURED:
        clauses.append("it lies on a ground of another colour")
    changes = _changes(facts)
    if facts.kind is ComparisonKind.OTHER_PHOTO:
        return _joined(["this is another photo of the same thing", *_pose(facts)])
    if not clauses and not changes:
        return "Both pictures show the same, and nothing differs."
    return _joined([*clauses, *([changes] if changes else [])])


def _cut(facts: ComparisonFacts) -> list[str]:
    parts = _sides(facts.cut)
    if parts:
        verb = "was" if parts[-1].endswith(" 1 %") else "were"
        return [f"{_listed(parts)} {verb} cut off"]
    return [f"{_percent(facts.hidden)} of the stored picture is missing"] if facts.hidden else []


def _pose(facts: ComparisonFacts) -> list[str]:
    turned, mirrored = facts.turned, facts.mirrored
    if mirrored and abs(abs(turned) - _HALF_TURN) <= _EXACT:
        found = ["it is mirrored top to bottom"]
    elif abs(abs(turned) - _HALF_TURN) <= _EXACT:
        found = ["it is turned upside down"]
    else:
        found = ["it is mirrored"] if mirrored else []
        if turned:
            degrees = _QUARTER if abs(abs(turned) - _QUARTER) <= _EXACT else abs(turned)
            direction = "clockwise" if turned > 0 else "counterclockwise"
            found.append(f"{'' if mirrored else 'it is '}turned {degrees:.0f}° {direction}")
            found = [" and ".join(found)]
    return [*found, "it is seen at an angle"] if facts.oblique else found


def _size(facts: ComparisonFacts) -> list[str]:
    found = []
    if facts.scale is not None and facts.kind is not ComparisonKind.OTHER_PHOTO:
        found.append(f"it is {'shrunk' if facts.scale < 1 else 'enlarged'} to {_percent(facts.scale)}")
    return [*found, "its proportions were changed"] if facts.stretched else found


def _added(facts: ComparisonFacts) -> list[str]:
    if facts.beyond >= _LARGER:
        return [f"it is a larger picture, of which the stored one is {_percent(1 - facts.beyond)}"]
    parts = _sides(facts.added)
    names = ("left", "top", "right", "bottom")
    shares = (facts.added.left, facts.added.top, facts.added.right, facts.added.bottom)
    if len(parts) == len(names):
        return ["a border was added around it"]
    if parts:
        where = [
            f"{'at the' if name in {'top', 'bottom'} else 'on the'} {name}"
            for name, share in zip(names, shares, strict=True)
            if share
        ]
        return [f"something was added {_listed(where)}"]
    return ["it shows more around the stored picture"] if facts.beyond else []


def _changes(facts: ComparisonFacts) -> str:
    if facts.is_changed_everywhere:
        return "most of the rest differs"
    if not facts.changes:
        return ""
    return f"{count(facts.changes, 'place')} {'differs' if facts.changes == 1 else 'differ'}"


def _sides(sides: Sides) -> list[str]:
    shares = (("left", sides.left), ("top", sides.top), ("right", sides.right), ("bottom", sides.bottom))
    return [f"the {name} {_percent(share)}" for name, share in shares if share]


def _percent(share: float) -> str:
    return f"{max(1, round(100 * share)):,} %"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _joined(clauses: list[str]) -> str:
    """Return clauses as one sentence."""
    text = clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])}, and {clauses[-1]}"
    return f"{capitalised(text)}."
