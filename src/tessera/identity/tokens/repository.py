"""Statements on the long-lived tokens of one tenant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, insert, select, update

from tessera.identity.tables import IssuedToken, User
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedToken:
    """A long-lived Bearer token: its user, its status, its issuer and that issuer's rights, never its text."""

    id: UUID
    user_id: UUID
    email: str
    function_points: tuple[str, ...] | None
    issuer: str | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    version: int


class TokenRepository:
    """The long-lived tokens of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def add(self, token: ManagedToken) -> None:
        """Add an issued token."""
        await self._connection.execute(
            insert(IssuedToken).values(
                organization_id=self._organization_id,
                id=token.id,
                user_id=token.user_id,
                function_points=None if token.function_points is None else list(token.function_points),
                issuer=token.issuer,
                created_at=token.created_at,
                expires_at=token.expires_at,
                version=token.version,
            )
        )

    async def find(self, token_id: UUID) -> ManagedToken | None:
        """The token with this id."""
        return await fetch_first(self._connection, self._select().where(IssuedToken.id == token_id), _managed)

    async def lock(self, token_id: UUID) -> ManagedToken | None:
        """The token with this id, locked FOR UPDATE."""
        statement = self._select().where(IssuedToken.id == token_id)
        return await fetch_first(self._connection, statement.with_for_update(of=IssuedToken), _managed)

    async def list_by_cursor(self, user_id: UUID | None, *, after: str | None, size: int) -> CursorPage[ManagedToken]:
        """A page of tokens, oldest first: those of one user, or of all users if `user_id` is None."""
        statement = self._select()
        if user_id is not None:
            statement = statement.where(IssuedToken.user_id == user_id)
        order = [IssuedToken.__table__.c.id]
        page = await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        return page.map(_managed)

    async def change(self, token: ManagedToken) -> None:
        """Write the state and the version of a locked token."""
        await self._connection.execute(
            update(IssuedToken)
            .where(IssuedToken.organization_id == self._organization_id, IssuedToken.id == token.id)
            .values(revoked_at=token.revoked_at, version=token.version)
        )

    def _select(self) -> Select[*tuple[Any, ...]]:
        columns = [getattr(IssuedToken, name) for name in ManagedToken.__dataclass_fields__ if name != "email"]
        is_of_user = and_(User.organization_id == IssuedToken.organization_id, User.id == IssuedToken.user_id)
        return (
            select(*columns, User.email)
            .join_from(IssuedToken, User, is_of_user)
            .where(IssuedToken.organization_id == self._organization_id)
        )


def _managed(row: AnyRow) -> ManagedToken:
    function_points = None if row.function_points is None else tuple(row.function_points)
    return record_of(ManagedToken, row, function_points=function_points)
