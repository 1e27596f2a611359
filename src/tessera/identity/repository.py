"""Statements on organizations, users, clients, keys and tokens of one tenant."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.models import ApiClient, ApiKey, IssuedToken, Organization, User
from tessera.identity.rules import Standing
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.text import key_of


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be added."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    function_points: list[str]
    partner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A client or key to be added, by the digest of its secret."""

    id: UUID
    name: str
    digest: bytes
    function_points: list[str]


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

    async def add_organization(self, *, name: str, now: datetime) -> bool:
        """Add the pinned organization itself; False if the name is taken."""
        statement = (
            upsert(Organization)
            .values(id=self._organization_id, name=name, is_active=True, created_at=now)
            .on_conflict_do_nothing(constraint="organizations_name_key_key")
            .returning(Organization.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def list_organizations(self) -> Sequence[AnyRow]:
        """Every organization; none unless the platform itself is pinned."""
        columns = Organization.__table__.columns
        listed = func.list_organizations().table_valued(*(column.name for column in columns))
        return (await self._connection.execute(select(listed.c.id, listed.c.name, listed.c.is_active))).all()

    async def add_user(self, user: NewUser, *, now: datetime) -> bool:
        """Add a user; False if the e-mail address is taken."""
        statement = (
            upsert(User)
            .values(organization_id=self._organization_id, is_active=True, created_at=now, **asdict(user))
            .on_conflict_do_nothing(constraint="users_organization_id_email_key_key")
            .returning(User.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def find_user_id(self, email: str) -> UUID | None:
        """The user with this address."""
        statement = select(User.id).where(
            User.organization_id == self._organization_id, User.email_key == key_of(email)
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()

    async def deactivate_user(self, user_id: UUID) -> None:
        """Switch a user off."""
        await self._connection.execute(
            update(User)
            .where(User.organization_id == self._organization_id, User.id == user_id)
            .values(is_active=False)
        )

    async def add_client(self, client: NewCredential, *, now: datetime) -> bool:
        """Add a client; False if the name is taken."""
        statement = (
            upsert(ApiClient)
            .values(
                organization_id=self._organization_id,
                id=client.id,
                name=client.name,
                secret_digest=client.digest,
                function_points=client.function_points,
                created_at=now,
            )
            .on_conflict_do_nothing(constraint="api_clients_organization_id_name_key")
            .returning(ApiClient.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def revoke_client(self, client_id: UUID, *, now: datetime) -> bool:
        """End a client; False if there is none to end."""
        statement = (
            update(ApiClient)
            .where(
                ApiClient.organization_id == self._organization_id,
                ApiClient.id == client_id,
                ApiClient.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def find_client(self, client_id: UUID) -> tuple[Holder, bytes] | None:
        """A client with the digest of its secret."""
        statement = (
            select(ApiClient, Organization.is_active)
            .join(Organization, Organization.id == ApiClient.organization_id)
            .where(ApiClient.organization_id == self._organization_id, ApiClient.id == client_id)
        )
        row = (await self._connection.execute(statement)).first()
        if row is None:
            return None
        standing = Standing(row.revoked_at, None, row.is_active)
        return Holder(Actor(ActorKind.API_CLIENT, row.id, row.name), row.function_points, standing), row.secret_digest

    async def add_key(self, key: NewCredential, *, now: datetime) -> None:
        """Add an API key."""
        await self._connection.execute(
            insert(ApiKey).values(
                organization_id=self._organization_id,
                id=key.id,
                name=key.name,
                key_digest=key.digest,
                function_points=key.function_points,
                created_at=now,
            )
        )

    async def find_key(self, key_id: UUID) -> tuple[Holder, str, bytes] | None:
        """An API key with its name and digest."""
        statement = (
            select(ApiKey, Organization.is_active)
            .join(Organization, Organization.id == ApiKey.organization_id)
            .where(ApiKey.organization_id == self._organization_id, ApiKey.id == key_id)
        )
        row = (await self._connection.execute(statement)).first()
        if row is None:
            return None
        standing = Standing(row.revoked_at, row.expires_at, row.is_active)
        return (
            Holder(Actor(ActorKind.API_KEY, row.id, row.name), row.function_points, standing),
            row.name,
            row.key_digest,
        )

    async def list_keys(self) -> Sequence[AnyRow]:
        """The API keys, oldest first, without their digests."""
        statement = (
            select(ApiKey.id, ApiKey.name, ApiKey.created_at, ApiKey.expires_at, ApiKey.revoked_at)
            .where(ApiKey.organization_id == self._organization_id)
            .order_by(ApiKey.id)
        )
        return (await self._connection.execute(statement)).all()

    async def end_key(self, key_id: UUID, *, at: datetime, revoke: bool) -> bool:
        """Revoke a key, or let it expire, never later than it would have; False if there is none that still works."""
        end = {ApiKey.revoked_at: at} if revoke else {ApiKey.expires_at: func.least(ApiKey.expires_at, at)}
        statement = (
            update(ApiKey)
            .where(
                ApiKey.organization_id == self._organization_id,
                ApiKey.id == key_id,
                ApiKey.revoked_at.is_(None),
            )
            .values(end)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def add_token(self, token_id: UUID, user_id: UUID, *, now: datetime, expires_at: datetime) -> None:
        """Record a token that is issued to a user."""
        await self._connection.execute(
            insert(IssuedToken).values(
                organization_id=self._organization_id,
                id=token_id,
                user_id=user_id,
                created_at=now,
                expires_at=expires_at,
            )
        )

    async def revoke_token(self, token_id: UUID, *, now: datetime) -> bool:
        """End a token; False if there is none to end."""
        statement = (
            update(IssuedToken)
            .where(
                IssuedToken.organization_id == self._organization_id,
                IssuedToken.id == token_id,
                IssuedToken.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )
        return (await self._connection.execute(statement)).rowcount > 0

    async def find_token_holder(self, token_id: UUID) -> Holder | None:
        """The user to whom a token was issued."""
        statement = (
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
            .where(IssuedToken.organization_id == self._organization_id, IssuedToken.id == token_id)
        )
        row = (await self._connection.execute(statement)).first()
        if row is None:
            return None
        standing = Standing(row.revoked_at, row.expires_at, row.is_active)
        return Holder(Actor(ActorKind.USER, row.id, row.email), row.function_points, standing, row.partner_id)
