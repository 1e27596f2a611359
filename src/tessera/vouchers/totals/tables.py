"""The table of the numbers of vouchers, by partner and day of expiry."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db.table_base import Base


class VoucherTotal(Base):
    """The number of vouchers of one partner that expire on one UTC day, updated with each change of a voucher.

    A used voucher counts as used even if it is archived.
    """

    __tablename__ = "voucher_totals"
    __impersonal__ = "organization_id partner_id expires_on quantity used archived"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "partner_id"], ["voucher_partners.organization_id", "voucher_partners.id"]
        ),
        CheckConstraint("used >= 0 and archived >= 0 and used + archived <= quantity", name="counts"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)
    expires_on: Mapped[date] = mapped_column(primary_key=True)
    quantity: Mapped[int]
    used: Mapped[int]
    archived: Mapped[int]
