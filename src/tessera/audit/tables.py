"""Tables of the audit log: the entries, the list of unsealed entries, and the chain of seals."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, Timestamp


def _references_entry() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization_id", "entry_id"], ["audit_entries.organization_id", "audit_entries.id"])


class AuditEntry(Base):
    """A change of a record: the actor, the action, and the states before and after it.

    Where `digests` is not null, values that name a person are in `audit_values`, and `before` and `after` have null in
    their places.
    """

    __tablename__ = "audit_entries"
    __impersonal__ = "organization_id id at actor_kind action entity_kind entity_id digests actor_salt"
    __table_args__ = (
        Index("audit_entries_by_time_index", "organization_id", "at", "id"),
        Index("audit_entries_by_actor_index", "organization_id", "actor_name", "at", "id"),
        Index("audit_entries_by_action_index", "organization_id", "action", "at", "id"),
        Index("audit_entries_by_kind_index", "organization_id", "entity_kind", "at", "id"),
        Index("audit_entries_by_entity_index", "organization_id", "entity_id", "at", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Timestamp)
    actor_kind: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[UUID | None] = mapped_column(info=personal_data.CALLER_ID)
    actor_name: Mapped[str] = mapped_column(Text, info=personal_data.ACTOR)
    # The long-lived token of a user, and the name of its issuer.
    token_id: Mapped[UUID | None] = mapped_column(info=personal_data.CALLER_ID)
    token_issuer: Mapped[str | None] = mapped_column(Text, info=personal_data.ACTOR)
    action: Mapped[str] = mapped_column(Text)
    entity_kind: Mapped[str] = mapped_column(Text)
    entity_id: Mapped[UUID]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info=personal_data.AUDITED)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), info=personal_data.AUDITED)
    # The digests of values that name a person, by path. The salt is that of the actor's name, whose path is its column.
    digests: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    actor_salt: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditValue(Base):
    """A value of an entry that names a person; an erasure deletes it with its salt, and the entry keeps its digest."""

    __tablename__ = "audit_values"
    __impersonal__ = "organization_id entry_id path salt"
    __table_args__ = (_references_entry(), CheckConstraint("length(salt) >= 16", name="salt"))

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text, info=personal_data.AUDITED_VALUE)
    salt: Mapped[bytes] = mapped_column(LargeBinary)


class AuditUnsealed(Base):
    """An unsealed entry; the transaction that seals the entry deletes the row."""

    __tablename__ = "audit_unsealed"
    __impersonal__ = "organization_id entry_id"
    __table_args__ = (_references_entry(),)

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(primary_key=True)


class AuditStub(Base):
    """The last seal of the entries that were dropped from the beginning of a chain, which `position` counts."""

    __tablename__ = "audit_stubs"
    __impersonal__ = "organization_id position digest dropped_at"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    dropped_at: Mapped[datetime] = mapped_column(Timestamp)


class AuditSeal(Base):
    """A link of an organization's chain; its digest covers an entry and the previous digest."""

    __tablename__ = "audit_seals"
    __impersonal__ = "organization_id position entry_id digest sealed_at rule"
    __table_args__ = (
        _references_entry(),
        UniqueConstraint("organization_id", "entry_id"),
        CheckConstraint("position >= 1", name="position"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    entry_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime] = mapped_column(Timestamp)
    # The rule of the digest; null is the first one.
    rule: Mapped[int | None] = mapped_column(BigInteger)
