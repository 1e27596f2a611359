"""Tables of reservations, their redemptions, the ledger of redemptions, and what was dropped from it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, MetadataColumn, Timestamp

# There are no foreign keys to organizations, exams or promo codes, because each new row would lock the popular row that
# it references. Those rows are never deleted.


class Reservation(Base):
    """A booking of an exam, identified by its code."""

    __tablename__ = "reservations"
    __impersonal__ = "organization_id id status created_at updated_at anonymised_at"
    __table_args__ = (
        UniqueConstraint("organization_id", "code"),
        Index(
            "reservations_ended_index",
            "organization_id",
            "updated_at",
            "id",
            postgresql_where="status in ('Completed', 'NoShow', 'Cancelled') and anonymised_at is null",
        ),
        Index(
            "reservations_to_drop_index",
            "organization_id",
            "updated_at",
            "id",
            postgresql_where="status in ('Completed', 'NoShow', 'Cancelled') and anonymised_at is not null",
        ),
        CheckConstraint("status in ('Created', 'Rescheduled', 'Completed', 'NoShow', 'Cancelled')", name="status"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Text, info=personal_data.BOOKING)
    status: Mapped[str] = mapped_column(Text)
    rescheduled_from: Mapped[str | None] = mapped_column(Text, info=personal_data.BOOKING)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
    anonymised_at: Mapped[datetime | None] = mapped_column(Timestamp)


class Redemption(MetadataColumn, Base):
    """A use of a promo code or a voucher for a reservation; the platform owns global promo codes.

    Redemptions from releases in which no codes could be combined have neither `earlier_discounts` nor `is_combinable`.
    """

    __tablename__ = "redemptions"
    __impersonal__ = (
        "organization_id id reservation_id code code_key promo_code_owner_id promo_code_id voucher_id"
        " purchase_id partner_id store_exam_id product_bundle_id list_price discount earlier_discounts"
        " is_combinable status held_until changes created_at updated_at"
    )
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "reservation_id"], ["reservations.organization_id", "reservations.id"]
        ),
        ForeignKeyConstraint(["organization_id", "voucher_id"], ["vouchers.organization_id", "vouchers.id"]),
        Index(
            "redemptions_live_index",
            "organization_id",
            "reservation_id",
            "code_key",
            unique=True,
            postgresql_where="status in ('Held', 'Redeemed')",
        ),
        Index("redemptions_by_reservation_index", "organization_id", "reservation_id", "created_at", "id"),
        Index(
            "redemptions_by_maker_index",
            "organization_id",
            "made_by",
            "created_at",
            "id",
            postgresql_where="made_by is not null",
        ),
        Index("redemptions_by_time_index", "organization_id", "created_at", "id"),
        Index("redemptions_by_code_index", "organization_id", "code_key", "created_at", "id"),
        Index("redemptions_by_person_index", "organization_id", "person_id", "created_at", "id"),
        Index(
            "redemptions_by_email_index",
            "organization_id",
            literal_column('lower(email collate "C")'),
            postgresql_where="email is not null",
        ),
        Index("redemptions_by_status_index", "organization_id", "status", "created_at", "id"),
        Index(
            "redemptions_by_voucher_index",
            "organization_id",
            "voucher_id",
            postgresql_where="voucher_id is not null",
        ),
        Index(
            "redemptions_of_candidates_index",
            "organization_id",
            "promo_code_id",
            "person_id",
            postgresql_where="promo_code_id is not null and status in ('Held', 'Redeemed')",
        ),
        Index(
            "redemptions_held_index",
            "promo_code_id",
            "held_until",
            postgresql_where="promo_code_id is not null and status = 'Held'",
        ),
        Index(
            "redemptions_closed_index",
            "organization_id",
            "updated_at",
            "id",
            postgresql_where="status in ('Released', 'Expired', 'Cancelled') and person_id <> '[anonymised]'",
        ),
        Index(
            "redemptions_to_drop_index",
            "organization_id",
            "updated_at",
            "id",
            postgresql_where="status in ('Released', 'Expired', 'Cancelled')",
        ),
        Index("redemptions_lapsing_index", "held_until", postgresql_where="status = 'Held'"),
        CheckConstraint("status in ('Held', 'Redeemed', 'Released', 'Expired', 'Cancelled')", name="status"),
        CheckConstraint(
            "num_nonnulls(promo_code_id, voucher_id) = 1 and (promo_code_id is null) = (promo_code_owner_id is null)"
            " and num_nonnulls(voucher_id, purchase_id, partner_id) in (0, 3)",
            name="code",
        ),
        CheckConstraint("num_nonnulls(store_exam_id, product_bundle_id) = 1", name="product"),
        CheckConstraint(
            "discount >= 0 and earlier_discounts >= 0 and list_price >= discount + coalesce(earlier_discounts, 0)",
            name="price",
        ),
        CheckConstraint("status <> 'Held' or held_until is not null", name="held"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    reservation_id: Mapped[UUID]
    code: Mapped[str] = mapped_column(Text)
    code_key: Mapped[str] = mapped_column(Text, Computed('lower(code collate "C")', persisted=True))
    promo_code_owner_id: Mapped[UUID | None]
    promo_code_id: Mapped[UUID | None]
    voucher_id: Mapped[UUID | None]
    purchase_id: Mapped[UUID | None]
    partner_id: Mapped[UUID | None]
    store_exam_id: Mapped[UUID | None]
    product_bundle_id: Mapped[UUID | None]
    person_id: Mapped[str] = mapped_column(Text, info=personal_data.PERSON_ID)
    client_candidate_id: Mapped[str] = mapped_column(Text, info=personal_data.CLIENT_CANDIDATE_ID)
    first_name: Mapped[str] = mapped_column(Text, info=personal_data.CANDIDATE_NAME)
    last_name: Mapped[str] = mapped_column(Text, info=personal_data.CANDIDATE_NAME)
    email: Mapped[str | None] = mapped_column(Text, info=personal_data.CANDIDATE_EMAIL)
    list_price: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    discount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    earlier_discounts: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    is_combinable: Mapped[bool | None]
    status: Mapped[str] = mapped_column(Text)
    held_until: Mapped[datetime | None] = mapped_column(Timestamp)
    changes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    updated_at: Mapped[datetime] = mapped_column(Timestamp)
    made_by: Mapped[UUID | None] = mapped_column(info=personal_data.CALLER_ID)


class LedgerEntry(Base):
    """Change `number` of a redemption and its effect on the counts of the code; rows are only appended.

    An entry repeats the immutable columns of its redemption so that sums over a period read no other table.
    """

    __tablename__ = "redemption_ledger"
    __impersonal__ = (
        "organization_id redemption_id number status redeemed_change held_change promo_code_owner_id"
        " promo_code_id voucher_id purchase_id partner_id code store_exam_id product_bundle_id discount at"
    )
    __table_args__ = (
        ForeignKeyConstraint(["organization_id", "redemption_id"], ["redemptions.organization_id", "redemptions.id"]),
        Index(
            "redemption_ledger_of_global_codes_index",
            "promo_code_id",
            postgresql_where="promo_code_owner_id = '00000000-0000-0000-0000-000000000000'",
        ),
        Index("redemption_ledger_by_time_index", "organization_id", "at", postgresql_where="redeemed_change <> 0"),
        CheckConstraint("redeemed_change between -1 and 1 and held_change between -1 and 1", name="changes"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    redemption_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(Text)
    redeemed_change: Mapped[int]
    held_change: Mapped[int]
    promo_code_owner_id: Mapped[UUID | None]
    promo_code_id: Mapped[UUID | None]
    voucher_id: Mapped[UUID | None]
    purchase_id: Mapped[UUID | None]
    partner_id: Mapped[UUID | None]
    code: Mapped[str] = mapped_column(Text)
    store_exam_id: Mapped[UUID | None]
    product_bundle_id: Mapped[UUID | None]
    discount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    caller_id: Mapped[UUID | None] = mapped_column(info=personal_data.CALLER_ID)
    at: Mapped[datetime] = mapped_column(Timestamp)


class DroppedUses(Base):
    """The uses of a promo code, a voucher or a purchase by redemptions that were dropped; `used_id` is one of them."""

    __tablename__ = "dropped_uses"
    __impersonal__ = "organization_id owner_id used_id redeemed"
    __table_args__ = (
        Index(
            "dropped_uses_of_global_codes_index",
            "used_id",
            postgresql_where="owner_id = '00000000-0000-0000-0000-000000000000'",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    used_id: Mapped[UUID] = mapped_column(primary_key=True)
    redeemed: Mapped[int]
