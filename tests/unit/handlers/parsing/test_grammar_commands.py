"""Valid /vsearch commands, verb by verb, as typed on different keyboards."""

import pytest

from bot.domain.channels import ChannelMode
from bot.domain.identifiers import ALL_DATABASES, DatabaseName, EntityId, Note
from bot.domain.pages import Order
from handlers.parsing.grammar import (
    AddCommand,
    Command,
    CreateDatabase,
    DeleteDatabase,
    DeleteEntity,
    FindCommand,
    HelpCommand,
    ImageReference,
    ImportHistory,
    LinkDatabase,
    ListDatabases,
    ListImages,
    OpenForm,
    RenameEntity,
    SearchCommand,
    SetNote,
    StatusCommand,
    UnwatchCommand,
    WatchCommand,
    parse,
)

URL = "https://example.com/valve.jpg"
HERE = ImageReference(URL)
LAST = ImageReference(last=True)
PARTS = DatabaseName("parts_2")
VALVE = EntityId("valve_0042")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", OpenForm()),
        (" \n\u00a0\u200b", OpenForm()),
        (URL, SearchCommand(HERE)),
        (f"search {URL}", SearchCommand(HERE)),
        (f"find {URL}", SearchCommand(HERE)),
        ("find ball valve", FindCommand("ball valve")),
        # Slack makes links of words that could be hosts.
        ("find <http://part.de|part.de>", FindCommand("part.de")),
        ("find <http://Part.de/|Part.de> gear in:parts_2", FindCommand("Part.de gear", PARTS)),
        ("find “<http://part.de|part.de>”", FindCommand("part.de")),
        ("find <http://part.de>", SearchCommand(ImageReference("http://part.de"))),
        ("find <http://part.de/a.png|part.de/a.png>", SearchCommand(ImageReference("http://part.de/a.png"))),
        ("search <http://part.de|part.de>", SearchCommand(ImageReference("http://part.de"))),
        ("find in:parts_2 “ball valve” DN:25 top:3", FindCommand("ball valve dn 25", PARTS, 3)),
        ("Find last in:*", FindCommand("last", ALL_DATABASES)),
        (f"search {URL} in:*", SearchCommand(HERE, ALL_DATABASES)),
        ("db link parts_2", LinkDatabase(PARTS)),
        ("db link parts_2 off", LinkDatabase(PARTS, "-")),
        ("db link parts_2 https://erp.example.com/{id}", LinkDatabase(PARTS, "https://erp.example.com/{id}")),
        ("db link parts_2 <https://erp.example.com/>{id}/x", LinkDatabase(PARTS, "https://erp.example.com/{id}/x")),
        ("search last", SearchCommand(LAST)),
        ("Search Last in:parts_2 top:3", SearchCommand(LAST, PARTS, 3)),
        ("last", SearchCommand(LAST)),
        ("last in:parts_2", SearchCommand(LAST, PARTS)),
        (f"{URL} in:parts_2 top:50 min:9.5", SearchCommand(HERE, PARTS, 50, 9.5)),
        (f"min:7,5 top:1 in:parts_2 search {URL}", SearchCommand(HERE, PARTS, 1, 7.5)),
        (f"add {URL} in:parts_2", AddCommand(HERE, PARTS)),
        ("add last", AddCommand(LAST)),
        (
            'add last in:parts_2 id:valve_0042 note:"spare, shelf 3"',
            AddCommand(LAST, PARTS, VALVE, Note("spare, shelf 3")),
        ),
        (
            f"note:spare {URL} id:Valve_0042 add in:Parts_2",
            AddCommand(HERE, PARTS, EntityId("Valve_0042"), Note("spare")),
        ),
        ("list", ListImages()),
        ("list in:parts_2 prefix:valve_ order:asc", ListImages(PARTS, "valve_", Order.OLDEST_FIRST)),
        ("list prefix:Valve_* order:DESC", ListImages(None, "Valve_")),
        ("list prefix: order:asc", ListImages(order=Order.OLDEST_FIRST)),
        ("delete valve_0042 in:parts_2", DeleteEntity(VALVE, PARTS)),
        ("remove Valve_0042", DeleteEntity(EntityId("Valve_0042"))),
        ("add last id:VLV-0042/A", AddCommand(LAST, entity=EntityId("VLV-0042/A"))),
        ("add last id:12.345-B.", AddCommand(LAST, entity=EntityId("12.345-B"))),
        ("add last id:“Valve 42”", AddCommand(LAST, entity=EntityId("Valve 42"))),
        ('add last id:"3"" pipe; &lt;b&gt;."', AddCommand(LAST, entity=EntityId('3" pipe; <b>.'))),
        ("add last —id 阀门-7", AddCommand(LAST, entity=EntityId("阀门-7"))),
        ("delete Valve 42", DeleteEntity(EntityId("Valve 42"))),
        ('delete "db 7" in:parts_2', DeleteEntity(EntityId("db 7"), PARTS)),
        ("list prefix:“Valve 4”", ListImages(None, "Valve 4")),
        ("rename VLV-1 to VLV-2/A in:parts_2", RenameEntity(EntityId("VLV-1"), EntityId("VLV-2/A"), PARTS)),
        ("rename Valve 1 to Valve 2", RenameEntity(EntityId("Valve 1"), EntityId("Valve 2"))),
        ("Rename “in: 5 to 7” to “id:x”", RenameEntity(EntityId("in: 5 to 7"), EntityId("id:x"))),
        ("rename id:a to:b", RenameEntity(EntityId("a"), EntityId("b"))),
        ('rename id:"a b" id:c', RenameEntity(EntityId("a b"), EntityId("c"))),
        ('rename "https://x.example/1" -&gt; 1', RenameEntity(EntityId("https://x.example/1"), EntityId("1"))),
        ("note VLV-1 “spare, in: the yard”", SetNote(EntityId("VLV-1"), Note("spare, in: the yard"))),
        ('note Valve 1 "spare" in:parts_2', SetNote(EntityId("Valve 1"), Note("spare"), PARTS)),
        ('note "Valve 1" ""', SetNote(EntityId("Valve 1"), Note())),
        ('note id:a note:"see <https://x.example|the sheet>"', SetNote(EntityId("a"), Note("see the sheet"))),
        ("delete id:valve_0042 in:parts_2", DeleteEntity(VALVE, PARTS)),
        ("db", ListDatabases()),
        ("databases", ListDatabases()),
        ("db list", ListDatabases()),
        ("db create Parts_2", CreateDatabase(PARTS)),
        ("database create “parts_2”", CreateDatabase(PARTS)),
        ("db delete parts_2", DeleteDatabase(PARTS)),
        ("db remove parts_2", DeleteDatabase(PARTS)),
        ("watch", WatchCommand()),
        ("watch in:parts_2", WatchCommand(None, PARTS)),
        ("watch guard in:parts_2 min:8.5", WatchCommand(ChannelMode.GUARD, PARTS, 8.5)),
        ("watch in:parts_2 Collect", WatchCommand(ChannelMode.COLLECT, PARTS)),
        ("watch lookup", WatchCommand(ChannelMode.LOOKUP)),
        ("unwatch", UnwatchCommand()),
        ("Status", StatusCommand()),
        ("import here", ImportHistory()),
        ("Import HERE in:Parts since:2024-01-31", ImportHistory(DatabaseName("parts"), 1_706_659_200.0)),
        ("import here since:2024", ImportHistory(since=1_704_067_200.0)),
        ("help", HelpCommand()),
        ("help watch", HelpCommand("watch")),
        ("help Guard", HelpCommand("watch")),
        ("help nonsense", HelpCommand()),
        ("HELP me, in:in: it's \"broken", HelpCommand()),
        ("?", HelpCommand()),
    ],
)
def test_commands_are_parsed(text: str, expected: Command) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Search <{URL}>", SearchCommand(HERE)),
        (f"<{URL}|example.com/valve.jpg>", SearchCommand(HERE)),
        (f"<{URL}|a label with spaces> top:3", SearchCommand(HERE, limit=3)),
        (f"search &lt;{URL}&gt;", SearchCommand(HERE)),
        ("<https://example.com/?a=1&amp;copy=2|x>", SearchCommand(ImageReference("https://example.com/?a=1&copy=2"))),
        ("https://example.com/?a=1&amp;lt=2", SearchCommand(ImageReference("https://example.com/?a=1&lt=2"))),
        (f"<{URL}>top:3", SearchCommand(HERE, limit=3)),
        (
            'add last note:"from <https://example.com|example.com> &amp; more"',
            AddCommand(LAST, note=Note("from example.com & more")),
        ),
        ('add last note:"from <https://example.com>"', AddCommand(LAST, note=Note("from https://example.com"))),
        ("add last note:<@U1|bob>", AddCommand(LAST, note=Note("bob"))),
        (f"{URL} in:&lt;parts_2&gt;", SearchCommand(HERE, PARTS)),
        (f"{URL} in:<parts_2>", SearchCommand(HERE, PARTS)),
    ],
)
def test_links_and_escapes_of_slack_are_undone(text: str, expected: Command) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{URL} in:“Parts_2”", SearchCommand(HERE, PARTS)),
        (f"“{URL}” in:'parts_2'", SearchCommand(HERE, PARTS)),
        (f"search ‘{URL}’", SearchCommand(HERE)),
        (f'"<{URL}|valve.jpg>"', SearchCommand(HERE)),
        (f"`search {URL} in:parts_2`", SearchCommand(HERE, PARTS)),
        ("`/vsearch search last in:parts_2`", SearchCommand(LAST, PARTS)),
        ("/vsearch", OpenForm()),
        (f"{URL} `in:parts_2`", SearchCommand(HERE, PARTS)),
        (f'{URL} "in:parts_2"', SearchCommand(HERE, PARTS)),
        (f"{URL} in: parts_2", SearchCommand(HERE, PARTS)),
        (f"{URL} in:«\u00a0parts_2\u00a0»", SearchCommand(HERE, PARTS)),
        (f"{URL} in:„parts_2“", SearchCommand(HERE, PARTS)),
        (f"{URL} in:”parts_2”", SearchCommand(HERE, PARTS)),
        (f'{URL} in:“parts_2"', SearchCommand(HERE, PARTS)),
        (f"{URL} —in parts_2 –top=5", SearchCommand(HERE, PARTS, 5)),
        (f"{URL} --in=parts_2 --top 5", SearchCommand(HERE, PARTS, 5)),
        (f"{URL} —in=parts_2 ―min:7", SearchCommand(HERE, PARTS, minimum=7)),
        (f"{URL} --min=0", SearchCommand(HERE, minimum=0)),
        (f"{URL} in：parts_2", SearchCommand(HERE, PARTS)),
        (f"search\u00a0{URL}\ttop:2", SearchCommand(HERE, limit=2)),
        (f"{URL}\u3000in:parts_2, top:2", SearchCommand(HERE, PARTS, 2)),
        (f"\ufeff{URL} in:\u200bparts_2", SearchCommand(HERE, PARTS)),
        (f"{URL} min:9.5/10", SearchCommand(HERE, minimum=9.5)),
    ],
)
def test_variants_of_phones_and_people_are_parsed(text: str, expected: Command) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ('"spare valve"', "spare valve"),
        ('“5" pipe”', '5" pipe'),
        ("'it's a valve'", "it's a valve"),
        ("‘it’s a valve’", "it’s a valve"),
        ("it's", "it's"),
        ("'tis", "'tis"),
        ("3/4”", "3/4”"),
        ("`two words`", "two words"),
        ('"in:parts top:3"', "in:parts top:3"),
        ('"a：b — c"', "a：b — c"),
        ('""', ""),
        ("«Ventil, 5 mm»", "Ventil, 5 mm"),
    ],
)
def test_quoted_note_is_kept_as_typed(typed: str, note: str) -> None:
    assert parse(f"add last note:{typed}") == AddCommand(LAST, note=Note(note))
