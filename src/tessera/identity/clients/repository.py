"""Statements on the API clients of one tenant."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Update, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.tables import ApiClient
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedClient:
    """An API client with its rights, its status and its version."""

    id: UUID
    name: str
    function_points: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    token_generation: int
    version: int


_COLUMNS = [getattr(ApiClient, name) for name in ManagedClient.__dataclass_fields__]


class ClientRepository:
    """The API clients of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def add(self, client: ManagedClient, *, digest: bytes) -> bool:
        """Add a client with the digest of its secret; False if the name is taken."""
        statement = (
            upsert(ApiClient)
            .values(
                organization_id=self._organization_id,
                secret_digest=digest,
                **asdict(client) | {"function_points": list(client.function_points)},
            )
            .on_conflict_do_nothing(constraint="api_clients_organization_id_name_key")
            .returning(ApiClient.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def find(self, client_id: UUID) -> ManagedClient | None:
        """The client with this id."""
        return await fetch_first(self._connection, self._select().where(ApiClient.id == client_id), _managed)

    async def lock(self, client_id: UUID) -> ManagedClient | None:
        """The client with this id, locked FOR UPDATE; None if it is revoked."""
        unrevoked = self._select().where(ApiClient.id == client_id, ApiClient.revoked_at.is_(None))
        return await fetch_first(self._connection, unrevoked.with_for_update(), _managed)

    async def list_by_cursor(self, *, after: str | None, size: int) -> CursorPage[ManagedClient]:
        """A page of clients, oldest first."""
        order = [ApiClient.__table__.c.id]
        page = await fetch_cursor_page(self._connection, self._select(), order=order, after=after, size=size)
        return page.map(_managed)

    async def change(self, client: ManagedClient) -> None:
        """Write the state and the version of a locked client."""
        await self._connection.execute(
            self._update(client.id).values(
                revoked_at=client.revoked_at, token_generation=client.token_generation, version=client.version
            )
        )

    async def set_digest(self, client_id: UUID, digest: bytes) -> None:
        """Replace the digest of the secret of a locked client."""
        await self._connection.execute(self._update(client_id).values(secret_digest=digest))

    def _update(self, client_id: UUID) -> Update:
        return update(ApiClient).where(ApiClient.organization_id == self._organization_id, ApiClient.id == client_id)

    def _select(self) -> Select[*tuple[Any, ...]]:
        return select(*_COLUMNS).where(ApiClient.organization_id == self._organization_id)


def _managed(row: AnyRow) -> ManagedClient:
    function_points, generation = tuple(row.function_points), row.token_generation or 0
    return record_of(ManagedClient, row, function_points=function_points, token_generation=generation)
