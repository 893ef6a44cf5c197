"""What waits or failed in App Home, and for whom it is shown."""

from __future__ import annotations

from sqlalchemy import Connection, update

from bot.app.slack_app import SlackApp
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import JobKind, NewJob
from bot.storage.sql.schema.tables import inbox
from handlers.parsing.payloads import encode_request
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import THERE
from tests.scenario.support.home import URL, open_home
from tests.scenario.support.requests import VALVE

OTHER, ADMIN = "U0OTHER", "U0ADMIN"


async def test_waiting_and_failed_messages_are_shown_to_those_who_can_read_them(slack: FakeSlack, start: Start) -> None:
    slack.add_channel(THERE, "there", kind="private", members=[OTHER])
    slack.add_person(ADMIN, is_admin=True)
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    await put_jobs(app)
    member, insider, admin = [await open_home(slack, user) for user in (SOMEONE, OTHER, ADMIN)]
    assert f"1 message with images waiting in <#{GENERAL}>." in member.everything
    assert f"2 messages with images failed in <#{GENERAL}>." in member.everything
    assert f"Importing `parts.csv` from <#{GENERAL}>." in member.everything
    for home in (member, admin):
        assert THERE not in str(home.body)
        assert "secret.csv" not in str(home.body)
    assert f"1 message with images waiting in <#{THERE}>." in insider.everything
    assert f"Importing `secret.csv` from <#{THERE}>." in insider.everything
    assert "1 deletion failed and will be tried again." in admin.everything
    assert "deletion failed" not in f"{member.everything} {insider.everything}"


async def put_jobs(app: SlackApp) -> None:
    """Store jobs as if workers were busy with others: shares, imports, and a deletion that failed."""
    assert app.identity is not None
    await app.worker.stop(1)
    storage, workspace = app.services.storage, WorkspaceId(app.identity.workspace)
    for channel, ts, table in ((GENERAL, "1.1", "parts.csv"), (THERE, "1.2", "secret.csv")):
        event = {
            "type": "message",
            "channel": channel,
            "channel_type": "channel",
            "user": SOMEONE,
            "ts": ts,
            "text": "<@U0BOT> import",
            "files": [{"id": "F1", "name": table, "filetype": "csv", "mimetype": "text/csv", "url_private": "x"}],
        }
        body = {"type": "event_callback", "team_id": workspace, "event_id": ts, "event": event}
        payload = encode_request(body)
        await storage.inbox.put(NewJob(JobKind.REQUEST, workspace, "", f"mention:{channel}", ts, ("-",), payload))
        await storage.inbox.put(NewJob(JobKind.SHARE, workspace, "", channel, ts, ("F1",), "{}"))
    for ts in ("2.1", "2.2"):
        await storage.inbox.put(NewJob(JobKind.SHARE, workspace, "", GENERAL, ts, ("F2",), "{}"))
    await storage.inbox.put(NewJob(JobKind.FORGET, workspace, "", "forget:-", "-", ("F3",), "{}"))

    def work(connection: Connection) -> None:
        now = storage.inbox._clock()
        failed = update(inbox).where(inbox.c.message.in_(["2.1", "2.2"])).values(state="failed", finished_at=now)
        connection.execute(failed)
        connection.execute(update(inbox).where(inbox.c.kind == "forget").values(state="delayed", attempts=2))

    await storage._database.write(work)
