"""The help text, and answers to what can't be done by a command."""

from __future__ import annotations

TITLE = "How to use /vsearch"

HELP = """\
*Has your team seen this image before?*
Share or forward it in a channel I'm in, mention me with it, or send it to me. I answer in its thread.
Links with a picture, PDFs and videos count too when you ask. In a thread, mention me to ask about its first message.
On older messages, open the ⋮ menu and choose *Find similar images* or *Add to image database*.

`/vsearch` opens a form
`/vsearch search last` searches with the newest image in the channel
`/vsearch help watch` explains a command, and so do these buttons:"""

TOPICS = {
    "search": """\
*Search*
`/vsearch` opens a form for images or an image URL
`/vsearch <image URL>` shows matches to you alone
`/vsearch search last in:parts top:5 min:7` searches with the newest image in the channel
`/vsearch find ball valve` finds images by id, note, file name or visible text
`in:*` searches all databases

*Scores* go from 0 to 10
9 and higher: a copy, edited or not
6 to 9: related
Lower: probably something else""",
    "add": """\
*Add images*
`/vsearch add last in:parts id:VLV-0042/A note:"Ball valve"` adds the newest image in the channel
`/vsearch add <image URL> in:parts`
*Add to image database* in a message's ⋮ menu does the same""",
    "correct": """\
*List and correct*
`/vsearch list in:parts prefix:VLV order:asc`
`/vsearch rename IMG_1234 to "Valve 42"` · `/vsearch note VLV-0042/A "DN 25"`
`/vsearch delete valve_0042 in:parts`""",
    "watch": """\
*Images shared in this channel*
`/vsearch watch lookup in:parts` looks them up
`/vsearch watch collect in:parts` adds them. :repeat: marks those that are there already
`/vsearch watch guard in:parts min:9` reports copies and adds the rest
`/vsearch watch guard window:30d own:10m allow:@lea report:#mods quiet` sets its rules
`/vsearch watch editors:creators` says who may change this
`/vsearch unwatch` ignores them
`/vsearch import here since:2024-01-31` adds those of the past
`/vsearch status` shows the current mode""",
    "databases": """\
*Databases*
`/vsearch db` lists them
`/vsearch db create parts` · `/vsearch db delete parts`
`/vsearch db link parts https://erp.example.com/part/{id}` links each match
`/vsearch report in:parts` shows its owner what was asked and found; with `csv` as a file
`/vsearch export in:parts` sends you the pictures and a table of them
Send me a CSV or XLSX file and a ZIP of its pictures to import them""",
}
"""The help by topic. Sections are separated by blank lines."""

TOPIC_LABELS = {
    "search": "Search",
    "add": "Add images",
    "correct": "List and correct",
    "watch": "Watch a channel",
    "databases": "Databases",
}

TOPIC_OF = {
    **{topic: topic for topic in TOPICS},
    **dict.fromkeys(("find", "last", "scores", "score", "min", "top"), "search"),
    **dict.fromkeys(("collecting", "image", "images"), "add"),
    **dict.fromkeys(("list", "rename", "note", "delete", "edit", "change"), "correct"),
    **dict.fromkeys(("unwatch", "lookup", "collect", "guard", "status", "channel", "channels"), "watch"),
    "history": "watch",
    **dict.fromkeys(("db", "database", "export", "import", "link", "report"), "databases"),
}
"""The topic of each word after ``help``."""

FORMS_UNSUPPORTED = "Forms don't open here. Type `/vsearch help` for commands that do the same."
FORM_EXPIRED = "The form took too long to open. Please try again."
UNKNOWN_SHORTCUT = "That shortcut is from another version of this app. Type `/vsearch help` for what's available."


def delete_database_needs_form(name: str) -> str:
    """Return how to open the form that deletes a database: a mention can't open one."""
    return f"To delete a database, type `/vsearch db delete {name}`."
