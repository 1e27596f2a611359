"""Units of work: transactions pinned to one tenant."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import psycopg
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.actors import INSTALLATION, Actor
from tessera.kit.db.engine import IS_DISTRIBUTED

AnyRow = Row[*tuple[Any, ...]]
Connection = AsyncConnection


class Reader(Protocol):
    """Connections with no tenant pinned, such as those of a `Database`."""

    async def fetch(self, query: str, params: Mapping[str, Any], /) -> list[tuple[Any, ...]]:
        """All rows of one statement."""


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One transaction, pinned to one organization, and to one of its voucher partners for that partner's users."""

    connection: AsyncConnection
    organization_id: UUID
    partner_id: UUID | None = None
    actor: Actor = INSTALLATION

    @asynccontextmanager
    async def pinned_to(self, organization_id: UUID) -> AsyncIterator["UnitOfWork"]:
        """Pin this transaction to another organization in the block; an exception there aborts the transaction."""
        await execute_together(self.connection, pin_to(organization_id), hold(organization_id))
        yield replace(self, organization_id=organization_id)
        await self.connection.exec_driver_sql(pin_to(self.organization_id))

    @asynccontextmanager
    async def undoing(self) -> AsyncIterator[None]:
        """Undo the statements of the block, and release the locks that it has taken."""
        savepoint = await self.connection.begin_nested()
        try:
            yield
        finally:
            await savepoint.rollback()

    async def can_write(self) -> bool:
        """Whether this transaction can change anything, which that of a frozen organization cannot."""
        found = await self.connection.exec_driver_sql("show transaction_read_only")
        return bool(found.scalar_one() == "off")

    def savepoint(self) -> AbstractAsyncContextManager[object]:
        """A block that undoes its statements and releases its locks if an exception leaves it."""
        return self.connection.begin_nested()

    async def driver_connection(self) -> psycopg.AsyncConnection[Any]:
        """The psycopg connection of this transaction, for libraries that must join the transaction."""
        return await driver_of(self.connection)


def pin_to(organization_id: UUID) -> str:
    """The statement that pins a transaction to an organization."""
    return f"SET LOCAL app.organization_id = '{organization_id}'"


def hold(organization_id: UUID) -> str:
    """The statement that lets a transaction change an organization, or makes it read-only if that is frozen."""
    return f"SELECT hold_organization('{organization_id}')"


async def execute_together(connection: AsyncConnection, *statements: str) -> None:
    """Execute statements without parameters and results: on one Postgres in one round trip."""
    if not connection.info.get(IS_DISTRIBUTED):
        statements = ("; ".join(statements),)
    # Citus repeats each SET on other nodes with the whole text that was sent with it.
    for statement in statements:
        await connection.exec_driver_sql(statement)


async def driver_of(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    """The psycopg connection under SQLAlchemy's."""
    raw = await connection.get_raw_connection()
    driver: psycopg.AsyncConnection[Any] = raw.driver_connection  # type: ignore[assignment]
    return driver


async def execute_text(connection: AsyncConnection, text: str, values: Mapping[str, Any]) -> psycopg.AsyncCursor[Any]:
    """Execute SQL text without SQLAlchemy; raises the driver's own errors."""
    return await (await driver_of(connection)).execute(text, values)
