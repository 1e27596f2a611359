"""Tables of organizations and callers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit import editing
from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, Timestamp


class Organization(Base):
    """The tenant: a test sponsor, or the platform itself."""

    __tablename__ = "organizations"
    __impersonal__ = "id name name_key is_active frozen_at created_at version"
    __table_args__ = (UniqueConstraint("name_key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, Computed("lower(name)", persisted=True))
    is_active: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)
    # Since this time the organization can be read and not changed, so that it can be copied.
    frozen_at: Mapped[datetime | None] = mapped_column(Timestamp)


class OrganizationImport(Base):
    """An import that is not complete: the digest of its file, and the number of the rows that have arrived."""

    __tablename__ = "organization_imports"
    __impersonal__ = "organization_id digest rows_done started_at"
    __table_args__ = (CheckConstraint("rows_done >= 0", name="rows_done"),)

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    rows_done: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(Timestamp)


class OrganizationDeletion(Base):
    """A requested deletion: the digest of the export before it, and when it may begin and has begun."""

    __tablename__ = "organization_deletions"
    __impersonal__ = "organization_id digest requested_at due_at begun_at"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    requested_at: Mapped[datetime] = mapped_column(Timestamp)
    due_at: Mapped[datetime] = mapped_column(Timestamp)
    begun_at: Mapped[datetime | None] = mapped_column(Timestamp)


class RetentionSettings(Base):
    """The periods of one organization; null keeps the data, as does a missing row."""

    __tablename__ = "retention_settings"
    __impersonal__ = (
        "organization_id candidates_after_days tokens_after_days audit_after_months redemptions_after_months"
        " failed_jobs_after_days"
    )
    __table_args__ = (
        CheckConstraint(
            "candidates_after_days between 1 and 3660 and tokens_after_days between 1 and 3660"
            " and audit_after_months between 1 and 120 and redemptions_after_months between 1 and 120"
            " and failed_jobs_after_days between 1 and 3660",
            name="periods",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    candidates_after_days: Mapped[int | None]
    tokens_after_days: Mapped[int | None]
    audit_after_months: Mapped[int | None]
    redemptions_after_months: Mapped[int | None]
    failed_jobs_after_days: Mapped[int | None]


class User(Base):
    """A person who calls the APIs with a Bearer token."""

    __tablename__ = "users"
    __impersonal__ = "organization_id id function_points partner_id is_active invitation created_at version"
    __table_args__ = (
        UniqueConstraint("organization_id", "email_key"),
        Index(
            "users_by_partner_index", "organization_id", "partner_id", "id", postgresql_where="partner_id is not null"
        ),
        CheckConstraint("invitation in ('Invited', 'Accepted')", name="invitation"),
        CheckConstraint(
            "not (partner_id is not null"
            " and not function_points <@ array['PartnerManageVouchers', 'PartnerAssignVouchers'])",
            name="partner_rights",
        ),
        Index(None, "organization_id", "is_active", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, info=personal_data.USER_EMAIL)
    email_key: Mapped[str] = mapped_column(
        Text, Computed('lower(email collate "C")', persisted=True), info=personal_data.USER_EMAIL
    )
    first_name: Mapped[str] = mapped_column(Text, info=personal_data.USER_NAME)
    last_name: Mapped[str] = mapped_column(Text, info=personal_data.USER_NAME)
    function_points: Mapped[list[str]] = mapped_column(ARRAY(Text))
    partner_id: Mapped[UUID | None]
    is_active: Mapped[bool]
    # The state of an invitation; None for users who are active or were never invited.
    invitation: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class ApiClient(Base):
    """A program that authenticates with a ClientId and a secret."""

    __tablename__ = "api_clients"
    __impersonal__ = (
        "organization_id id name secret_digest function_points created_at revoked_at token_generation version"
    )
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary)
    function_points: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    # Tokens of earlier generations are no longer valid; None for the first one.
    token_generation: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class ApiKey(Base):
    """A storefront's `cv-api-key`; a rotation adds a new row and lets the old one expire."""

    __tablename__ = "api_keys"
    __impersonal__ = (
        "organization_id id name key_digest function_points networks first_key_id created_at expires_at"
        " revoked_at last_used_at version"
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    key_digest: Mapped[bytes] = mapped_column(LargeBinary)
    function_points: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # The networks that the key may be used from; None for all.
    networks: Mapped[list[str] | None] = mapped_column(ARRAY(CIDR))
    # The first key of a series of rotations; None for that key itself.
    first_key_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    expires_at: Mapped[datetime | None] = mapped_column(Timestamp)
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    last_used_at: Mapped[datetime | None] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class IssuedToken(Base):
    """A long-lived Bearer token of one user; its text is not stored."""

    __tablename__ = "issued_tokens"
    __impersonal__ = "organization_id id function_points created_at expires_at revoked_at version"
    __table_args__ = (
        ForeignKeyConstraint(["organization_id", "user_id"], ["users.organization_id", "users.id"]),
        Index("issued_tokens_by_user_index", "organization_id", "user_id", "id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(info=personal_data.CALLER_ID)
    # The rights of the issuer at the time of issue, and its name; None for tokens of earlier releases.
    function_points: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    issuer: Mapped[str | None] = mapped_column(Text, info=personal_data.ACTOR)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    revoked_at: Mapped[datetime | None] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)
