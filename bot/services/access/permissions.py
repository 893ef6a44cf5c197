"""Permissions: who may delete images and databases, and change a database's settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.channels import SettingsEditors
from bot.domain.errors import UserError


class NotAllowed(UserError):
    """The user lacks the permission. The message says who has it."""


class MemberDirectory(Protocol):
    """Looks up the members of one workspace in Slack."""

    async def is_admin(self, user: str) -> bool:
        """Return whether the user is an admin or owner of the workspace."""
        ...


class RememberedMembers:
    """Asks another directory once for each user, also if Slack doesn't answer."""

    def __init__(self, members: MemberDirectory) -> None:
        self._members = members
        self._admins: dict[str, bool] = {}

    async def is_admin(self, user: str) -> bool:
        """Return whether the user is an admin or owner of the workspace."""
        if user not in self._admins:
            self._admins[user] = await self._members.is_admin(user)
        return self._admins[user]


class PermissionService:
    """Decides who may make changes that can't be undone.

    Args:
        admins: Slack user ids that the settings name as admins of the bot.
    """

    def __init__(self, admins: frozenset[str] = frozenset()) -> None:
        self._admins = admins

    async def is_admin(self, user: str, members: MemberDirectory) -> bool:
        """Return whether the user is an admin of the bot or of the workspace."""
        return bool(user) and (user in self._admins or await members.is_admin(user))

    async def may_delete_database(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> bool:
        """Return whether the user is an admin or created the database."""
        # A database created on the command line has an empty created_by, which must not match an empty user.
        if not user:
            return False
        return user in self._admins or user == info.created_by or await members.is_admin(user)

    async def may_change_settings(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> bool:
        """Return whether the user may delete the database: the same people may change its settings."""
        return await self.may_delete_database(info, user, members)

    async def may_change_channel(
        self, editors: SettingsEditors, user: str, members: MemberDirectory, creator: str = ""
    ) -> bool:
        """Return whether the user may change the settings of a channel that ``creator`` created in Slack."""
        if editors.everybody or await self.is_admin(user, members):
            return True
        return user in editors.people or (editors.creators and bool(user) and user == creator)

    async def may_control(self, starter: str, user: str, members: MemberDirectory) -> bool:
        """Return whether the user is an admin or started what is to be controlled."""
        # What was started on the command line has an empty starter, which must not match an empty user.
        return bool(user) and (user in self._admins or user == starter or await members.is_admin(user))

    async def may_delete_images(
        self, info: DatabaseInfo, records: Collection[ImageRecord], user: str, members: MemberDirectory
    ) -> bool:
        """Return whether every origin of the images is the user's, or the user may delete the database."""
        authors = {origin.author for record in records for origin in record.origins}
        if user and authors == {user}:
            return True
        return await self.may_delete_database(info, user, members)

    async def check_change_images(
        self, info: DatabaseInfo, records: Collection[ImageRecord], user: str, members: MemberDirectory
    ) -> None:
        """Raise NotAllowed unless the user may delete the images: the same people may give them another id or note."""
        if not await self.may_delete_images(info, records, user, members):
            raise NotAllowed(
                f"Only whoever added these images, whoever created “{info.key.name}” and admins can change them. "
                "Ask one of them to do it."
            )

    async def check_delete_database(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> None:
        """Raise NotAllowed unless the user may do it."""
        if not await self.may_delete_database(info, user, members):
            raise NotAllowed(
                f"Only admins and whoever created “{info.key.name}” can delete it. Ask one of them to do it."
            )

    async def check_change_settings(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> None:
        """Raise NotAllowed unless the user may do it."""
        if not await self.may_change_settings(info, user, members):
            raise NotAllowed(
                f"Only admins and whoever created “{info.key.name}” can change its settings. Ask one of them to do it."
            )

    async def check_delete_images(
        self, info: DatabaseInfo, records: Collection[ImageRecord], user: str, members: MemberDirectory
    ) -> None:
        """Raise NotAllowed unless the user may do it."""
        if not await self.may_delete_images(info, records, user, members):
            raise NotAllowed(
                f"Only whoever added these images, whoever created “{info.key.name}” and admins can delete them. "
                "Ask one of them to do it."
            )
