"""Tables of the persons who were erased, as digests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, Timestamp


class ErasureKey(Base):
    """The secret with which an organization digests the ids and addresses of erased persons."""

    __tablename__ = "erasure_keys"
    __impersonal__ = "organization_id key"
    __table_args__ = (CheckConstraint("length(key) = 32", name="key"),)

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)


class Erasure(Base):
    """The keyed digest of an id or an address of an erased person, with which a restore finds the person again."""

    __tablename__ = "erasures"
    __impersonal__ = "organization_id erased_at"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True, info=personal_data.ERASED_DIGEST)
    erased_at: Mapped[datetime] = mapped_column(Timestamp)
