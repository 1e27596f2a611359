"""The table of responses to keyed requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, Timestamp

# The table has no foreign key to organizations: every new row would lock the same row of organizations, and
# organizations are never deleted.


class IdempotencyKey(Base):
    """A completed request with a key, and the response to it."""

    __tablename__ = "idempotency_keys"
    __impersonal__ = "organization_id key status created_at"
    __table_args__ = (
        Index(None, "organization_id", "created_at"),
        Index("idempotency_keys_created_at_index", "created_at"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    caller_id: Mapped[UUID] = mapped_column(primary_key=True, info=personal_data.CALLER_ID)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_digest: Mapped[bytes] = mapped_column(LargeBinary, info=personal_data.REQUEST_DIGEST)
    status: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary, info=personal_data.STORED_BODY)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
