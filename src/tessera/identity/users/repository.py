"""Statements on the users of one tenant."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.rules import FunctionPoint
from tessera.identity.tables import User
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import email_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedUser:
    """A user with rights, status and version."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    function_points: tuple[str, ...]
    partner_id: UUID | None
    is_active: bool
    invitation: str | None
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Filters of users; None matches every user."""

    email: str | None = None
    is_active: bool | None = None
    partner_id: UUID | None = None


_COLUMNS = [getattr(User, name) for name in ManagedUser.__dataclass_fields__]


class UserRepository:
    """The users of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def add(self, user: ManagedUser) -> bool:
        """Add a user; False if the e-mail address is taken."""
        statement = (
            upsert(User)
            .values(
                organization_id=self._organization_id,
                **asdict(user) | {"function_points": list(user.function_points)},
            )
            .on_conflict_do_nothing(constraint="users_organization_id_email_key_key")
            .returning(User.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def find(self, user_id: UUID) -> ManagedUser | None:
        """The user with this id."""
        return await fetch_first(self._connection, self._select().where(User.id == user_id), _managed)

    async def find_by_email(self, email: str) -> ManagedUser | None:
        """The user with this address, ignoring case."""
        return await fetch_first(self._connection, self._select().where(User.email_key == email_key(email)), _managed)

    async def lock_rights(self) -> None:
        """Lock the rights of all users until the transaction ends; call it before a user is locked."""
        await self._connection.exec_driver_sql(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"rights/{self._organization_id}",)
        )

    async def has_administrator(self, *, except_for: UUID) -> bool:
        """Whether the organization has an active administrator besides this user."""
        statement = select(User.id).where(
            User.organization_id == self._organization_id,
            User.id != except_for,
            User.is_active,
            User.partner_id.is_(None),
            User.function_points.contains([FunctionPoint.MANAGE_ORGANIZATION]),
        )
        return (await self._connection.execute(statement.limit(1))).first() is not None

    async def lock(self, user_id: UUID) -> ManagedUser | None:
        """The user with this id, locked FOR UPDATE."""
        return await fetch_first(self._connection, self._select().where(User.id == user_id).with_for_update(), _managed)

    async def list_by_cursor(self, filters: UserFilter, *, after: str | None, size: int) -> CursorPage[ManagedUser]:
        """A page of users, oldest first."""
        statement = self._select()
        if filters.email is not None:
            statement = statement.where(User.email_key == email_key(filters.email))
        if filters.is_active is not None:
            statement = statement.where(User.is_active.is_(filters.is_active))
        if filters.partner_id is not None:
            statement = statement.where(User.partner_id == filters.partner_id)
        page = await fetch_cursor_page(self._connection, statement, order=[User.__table__.c.id], after=after, size=size)
        return page.map(_managed)

    async def change(self, user: ManagedUser) -> None:
        """Write the state and the version of a locked user."""
        await self._connection.execute(
            update(User)
            .where(User.organization_id == self._organization_id, User.id == user.id)
            .values(
                first_name=user.first_name,
                last_name=user.last_name,
                function_points=list(user.function_points),
                is_active=user.is_active,
                invitation=user.invitation,
                version=user.version,
            )
        )

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(*_COLUMNS).where(User.organization_id == self._organization_id)


def _managed(row: AnyRow) -> ManagedUser:
    return record_of(ManagedUser, row, function_points=tuple(row.function_points))
