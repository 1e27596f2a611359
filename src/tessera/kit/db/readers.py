"""Readers: a few connections for single statements outside any transaction, with no tenant pinned."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tessera.kit.db.engine import IS_DISTRIBUTED
from tessera.kit.db.unit_of_work import driver_of

MAX_READERS = 4
Row = tuple[Any, ...]


class _Reader:
    """A connection that stays checked out, because checking one out and returning it takes longer than a statement."""

    def __init__(self, connection: AsyncConnection, driver: psycopg.AsyncConnection[Any]) -> None:
        self.connection = connection
        self.driver = driver
        self._is_distributed = connection.info.get(IS_DISTRIBUTED)

    async def fetch(self, query: str, params: Mapping[str, Any]) -> list[Row]:
        # Citus shows the other nodes which organization a function pins in a transaction only.
        async with self.driver.transaction() if self._is_distributed else nullcontext():
            cursor = await self.driver.execute(query, params, binary=True)
        return await cursor.fetchall()


class Readers:
    """The readers of one process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.idle: list[_Reader] = []
        # Statements wait here and not for the pool, because these connections never return to it.
        self._turns = asyncio.Semaphore(MAX_READERS)

    async def fetch(self, query: str, params: Mapping[str, Any]) -> list[Row]:
        """All rows of one statement; a connection whose statement fails is closed."""
        async with self._turns:
            reader = self.idle.pop() if self.idle else await self._connect()
            try:
                rows = await reader.fetch(query, params)
            except BaseException:
                await discard(reader.connection)
                raise
            self.idle.append(reader)
            return rows

    async def _connect(self) -> _Reader:
        connection = await self._engine.connect()
        return _Reader(connection, await driver_of(connection))

    async def drop(self) -> None:
        """Close all idle connections."""
        idle = self.idle.copy()
        self.idle.clear()
        for reader in idle:
            await discard(reader.connection)
        await self._engine.dispose()


async def discard(connection: AsyncConnection) -> None:
    """Close a connection instead of returning it."""
    # The pool of the connection may already be disposed of, and such a pool does not close a returned connection.
    await connection.invalidate()
    await connection.close()
