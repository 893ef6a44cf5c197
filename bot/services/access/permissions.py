"""Who may delete what."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.errors import UserError


class NotAllowed(UserError):
    """The person may not do this; the sentence says who may."""


class MemberDirectory(Protocol):
    """What Slack knows of the people of one workspace."""

    async def is_admin(self, user: str) -> bool:
        """Whether the person is an admin or owner of the workspace."""
        ...


class PermissionService:
    """The rules for what can't be undone. ``admins`` are the user ids of the settings."""

    def __init__(self, admins: frozenset[str] = frozenset()) -> None:
        self._admins = admins

    async def may_delete_database(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> bool:
        """Admins and whoever made it."""
        # What the command line made has no maker, and a request without a user is nobody's.
        if not user:
            return False
        return user in self._admins or user == info.created_by or await members.is_admin(user)

    async def may_change_settings(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> bool:
        """Those who may delete the database."""
        return await self.may_delete_database(info, user, members)

    async def may_delete_images(
        self, info: DatabaseInfo, records: Collection[ImageRecord], user: str, members: MemberDirectory
    ) -> bool:
        """Those who may delete the database, and whoever added all of the images."""
        if user and records and all(record.added_by == user for record in records):
            return True
        return await self.may_delete_database(info, user, members)

    async def check_delete_database(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> None:
        """Raises NotAllowed."""
        if not await self.may_delete_database(info, user, members):
            raise NotAllowed(
                f"Only admins and whoever created “{info.key.name}” can delete it. Ask one of them to do it."
            )

    async def check_change_settings(self, info: DatabaseInfo, user: str, members: MemberDirectory) -> None:
        """Raises NotAllowed."""
        if not await self.may_change_settings(info, user, members):
            raise NotAllowed(
                f"Only admins and whoever created “{info.key.name}” can change its settings. Ask one of them to do it."
            )

    async def check_delete_images(
        self, info: DatabaseInfo, records: Collection[ImageRecord], user: str, members: MemberDirectory
    ) -> None:
        """Raises NotAllowed."""
        if not await self.may_delete_images(info, records, user, members):
            raise NotAllowed(
                f"Only whoever added these images, whoever created “{info.key.name}” and admins can delete them. "
                "Ask one of them to do it."
            )
