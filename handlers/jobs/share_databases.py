"""Which database the images of a share go to, or are looked up in."""

from __future__ import annotations

from bot.blocks.messages.notices import no_database_reply, several_databases_reply
from bot.blocks.reply import Reply
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.search.lookup import LookupService, NoDatabase, SearchScope, SeveralDatabases
from handlers.inbox.share import Share
from handlers.replies.known_databases import KnownDatabases


class ShareDatabases:
    """Chooses the database of a share: by its text, else by the channel's settings."""

    def __init__(
        self,
        lookup: LookupService,
        known: KnownDatabases,
        channel_settings: ChannelSettingsService,
    ) -> None:
        self._lookup = lookup
        self._known = known
        self._channel_settings = channel_settings

    async def choose(self, share: Share) -> DatabaseKey | Reply | None:
        """Return the database to use; if it is unclear, what to offer in the channel, or None if that was offered."""
        message = share.message
        try:
            if share.modifiers.database == ALL_DATABASES and await self._may_name_databases(share):
                return DatabaseKey(message.workspace, ALL_DATABASES)
            if share.modifiers.database not in {None, ALL_DATABASES}:
                assert share.modifiers.database is not None
                await self._known.check(share.modifiers.database, message.workspace, message.user, share.client)
                return await self._lookup.choose(message.workspace, share.modifiers.database)
            return await self._channel_settings.database_of(share.binding)
        except NoDatabase:
            offer = no_database_reply(message.channel)
        except SeveralDatabases as error:
            names = error.databases if await self._may_name_databases(share) else ()
            offer = several_databases_reply(names, message.channel)
        # Answer a question each time, but send the offer to a channel only once. If this job was already answering,
        # it may have claimed the offer before a call to Slack failed.
        if (
            message.is_question
            or share.job.answering
            or await self._channel_settings.claim_offer(message.workspace, message.channel)
        ):
            return offer
        return None

    async def scope(self, share: Share, key: DatabaseKey) -> SearchScope:
        """Return where a share is looked up. Raises NoDatabase."""
        if key.name != ALL_DATABASES:
            return SearchScope((key,))
        infos = await self._known.of(key.workspace, share.message.user, share.client)
        if not infos:
            raise NoDatabase
        return SearchScope(tuple(info.key for info in infos), is_several=True)

    async def _may_name_databases(self, share: Share) -> bool:
        message = share.message
        return await self._known.may_all_be_named(message.workspace, message.channel, share.kind, share.client)
