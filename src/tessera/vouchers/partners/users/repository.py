"""Statements on the users of one tenant's voucher partners."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.tables import User
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import email_key
from tessera.vouchers.rules import UserStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPartnerUser:
    """A user to invite; users cannot call the API until they are active."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    function_points: Sequence[str]


class PartnerUserRepository:
    """The users of one voucher partner, in the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork, partner_id: UUID) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = partner_id

    async def add(self, user: NewPartnerUser, *, now: datetime) -> bool:
        """Add an invited user; False if the e-mail address is taken."""
        statement = (
            upsert(User)
            .values(
                organization_id=self._organization_id,
                partner_id=self._partner_id,
                is_active=False,
                invitation=UserStatus.INVITED,
                created_at=now,
                **asdict(user),
            )
            .on_conflict_do_nothing(constraint="users_organization_id_email_key_key")
            .returning(User.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def find(self, user_id: UUID) -> AnyRow | None:
        """The user with this id."""
        return (await self._connection.execute(self._select().where(User.id == user_id))).first()

    async def lock(self, user_id: UUID) -> AnyRow | None:
        """The user with this id, locked FOR UPDATE."""
        return (await self._connection.execute(self._select().where(User.id == user_id).with_for_update())).first()

    async def find_id(self, email: str) -> UUID | None:
        """The id of the user with this address."""
        return (await self._connection.execute(self._select().where(User.email_key == email_key(email)))).scalar()

    async def list_by_cursor(self, *, after: str | None, size: int) -> CursorPage[AnyRow]:
        """A page of users, oldest first."""
        order = [User.__table__.c.id]
        return await fetch_cursor_page(self._connection, self._select(), order=order, after=after, size=size)

    async def change(self, user_id: UUID, *, is_active: bool, invitation: str | None) -> None:
        """Write the status of a locked user as its next version."""
        await self._connection.execute(
            update(User)
            .where(User.organization_id == self._organization_id, User.id == user_id)
            .values(is_active=is_active, invitation=invitation, version=User.version + 1)
        )

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(
            User.id,
            User.email,
            User.first_name,
            User.last_name,
            User.is_active,
            User.invitation,
            User.function_points,
            User.created_at,
            User.version,
        ).where(User.organization_id == self._organization_id, User.partner_id == self._partner_id)
