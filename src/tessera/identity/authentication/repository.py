"""Statements on organizations, users, clients, keys and tokens of one tenant."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, and_, select

from tessera.identity.rules import Standing
from tessera.identity.tables import ApiClient, ApiKey, IssuedToken, Organization, User
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.compiled_queries import CompiledQuery, parameter
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork


class Holder(NamedTuple):
    """Whom a credential belongs to, its rights, and how it stands."""

    actor: Actor
    function_points: list[str]
    standing: Standing
    partner_id: UUID | None = None


class IdentityRepository:
    """Everyone who calls, in the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_client(self, client_id: UUID) -> tuple[Holder, bytes] | None:
        """A client with the digest of its secret."""
        row = await self._first(_CLIENT, client_id)
        if row is None:
            return None
        standing = Standing(row.revoked_at, None, row.is_active)
        return Holder(Actor(ActorKind.API_CLIENT, row.id, row.name), row.function_points, standing), row.secret_digest

    async def find_key(self, key_id: UUID) -> tuple[Holder, str, bytes] | None:
        """An API key with its name and digest."""
        row = await self._first(_KEY, key_id)
        if row is None:
            return None
        standing = Standing(row.revoked_at, row.expires_at, row.is_active)
        return (
            Holder(Actor(ActorKind.API_KEY, row.id, row.name), row.function_points, standing),
            row.name,
            row.key_digest,
        )

    async def find_token_holder(self, token_id: UUID) -> Holder | None:
        """The user to whom a token was issued."""
        row = await self._first(_TOKEN_HOLDER, token_id)
        if row is None:
            return None
        standing = Standing(row.revoked_at, row.expires_at, row.is_active)
        return Holder(Actor(ActorKind.USER, row.id, row.email), row.function_points, standing, row.partner_id)

    async def _first(self, statement: CompiledQuery, id_: UUID) -> AnyRow | None:
        rows = await statement.all(self._connection, {"organization_id": self._organization_id, "id": id_})
        return rows[0] if rows else None


# Each request asks one of these.
_OWN, _ID = parameter("organization_id", Uuid()), parameter("id", Uuid())
_CLIENT = CompiledQuery(
    select(ApiClient.__table__, Organization.is_active)
    .join(Organization, Organization.id == ApiClient.organization_id)
    .where(ApiClient.organization_id == _OWN, ApiClient.id == _ID)
)
_KEY = CompiledQuery(
    select(ApiKey.__table__, Organization.is_active)
    .join(Organization, Organization.id == ApiKey.organization_id)
    .where(ApiKey.organization_id == _OWN, ApiKey.id == _ID)
)
_TOKEN_HOLDER = CompiledQuery(
    select(
        User.id,
        User.email,
        User.function_points,
        User.partner_id,
        IssuedToken.revoked_at,
        IssuedToken.expires_at,
        and_(User.is_active, Organization.is_active).label("is_active"),
    )
    .select_from(IssuedToken)
    .join(User, and_(User.organization_id == IssuedToken.organization_id, User.id == IssuedToken.user_id))
    .join(Organization, Organization.id == IssuedToken.organization_id)
    .where(IssuedToken.organization_id == _OWN, IssuedToken.id == _ID)
)
