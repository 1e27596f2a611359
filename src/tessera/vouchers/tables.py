"""Tables of voucher partners, programs, purchases and vouchers."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit import editing
from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, MetadataColumn, Timestamp, VisibilityColumn


def _refers_to(table: str, column: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization_id", column], [f"{table}.organization_id", f"{table}.id"])


def _unique_by_prefix(name: str, column: str) -> Index:
    return Index(name, "organization_id", column, unique=True, postgresql_ops={column: "text_pattern_ops"})


def _by_present(name: str, column: str) -> Index:
    """An index of the few rows that have a value in a column."""
    return Index(name, "organization_id", column, "partner_id", "id", postgresql_where=f"{column} is not null")


class VoucherPartner(Base):
    """A company that buys vouchers."""

    __tablename__ = "voucher_partners"
    __impersonal__ = "organization_id id name name_key status created_at version"
    __table_args__ = (
        UniqueConstraint("organization_id", "name_key"),
        Index(None, "organization_id", "status", "id"),
        CheckConstraint("status in ('Active', 'Inactive', 'Archived')", name="status"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, Computed("lower(name)", persisted=True))
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class VoucherProgram(MetadataColumn, VisibilityColumn, Base):
    """An offer to partners: its exams, its cost, and the partners and candidates to which it is open."""

    __tablename__ = "voucher_programs"
    __impersonal__ = (
        "organization_id id name name_key status allow_ach_payments expiration_period_in_days"
        " can_assigned_partners_purchase_zero_price is_available_to_all_partners partner_cost_per_voucher"
        " enforce_assigned_email voucher_code_prefix created_at version visible_to"
    )
    __table_args__ = (
        UniqueConstraint("organization_id", "name_key"),
        Index(None, "organization_id", "status", "id"),
        CheckConstraint("status in ('Active', 'Inactive', 'Archived')", name="status"),
        CheckConstraint("expiration_period_in_days between 1 and 36500", name="expiration_period"),
        CheckConstraint("partner_cost_per_voucher >= 0", name="partner_cost"),
        CheckConstraint("voucher_code_prefix ~ '^[A-Z0-9-]{0,20}$'", name="prefix"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, Computed("lower(name)", persisted=True))
    status: Mapped[str] = mapped_column(Text)
    allow_ach_payments: Mapped[bool]
    expiration_period_in_days: Mapped[int]
    can_assigned_partners_purchase_zero_price: Mapped[bool]
    is_available_to_all_partners: Mapped[bool]
    partner_cost_per_voucher: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    enforce_assigned_email: Mapped[bool]
    voucher_code_prefix: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class VoucherProgramDiscount(VisibilityColumn, Base):
    """A bulk discount of a program: the percentage for at least this quantity."""

    __tablename__ = "voucher_program_discounts"
    __impersonal__ = "organization_id id program_id quantity percent visible_to"
    __table_args__ = (
        _refers_to("voucher_programs", "program_id"),
        UniqueConstraint("organization_id", "program_id", "quantity", name="voucher_program_discounts_quantity_key"),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("percent between 0 and 100", name="percent"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID]
    quantity: Mapped[int]
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))


class VoucherProgramStoreExam(VisibilityColumn, Base):
    """A store exam that a program's vouchers pay for."""

    __tablename__ = "voucher_program_store_exams"
    __impersonal__ = "organization_id program_id store_exam_id position visible_to"
    __table_args__ = (
        _refers_to("voucher_programs", "program_id"),
        _refers_to("store_exams", "store_exam_id"),
        Index("voucher_program_store_exams_by_store_exam_index", "organization_id", "store_exam_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    store_exam_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int]


class VoucherProgramPartner(Base):
    """The assignment of a partner to a program."""

    __tablename__ = "voucher_program_partners"
    __impersonal__ = "organization_id program_id partner_id"
    __table_args__ = (
        _refers_to("voucher_programs", "program_id"),
        _refers_to("voucher_partners", "partner_id"),
        Index("voucher_program_partners_by_partner_index", "organization_id", "partner_id", "program_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID] = mapped_column(primary_key=True)


class VoucherProgramEmailDomain(VisibilityColumn, Base):
    """An e-mail domain whose candidates may use a program's vouchers."""

    __tablename__ = "voucher_program_email_domains"
    __impersonal__ = "organization_id id program_id domain visible_to"
    __table_args__ = (
        _refers_to("voucher_programs", "program_id"),
        UniqueConstraint("organization_id", "program_id", "domain", name="voucher_program_email_domains_domain_key"),
        CheckConstraint("domain = lower(domain)", name="domain"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID]
    domain: Mapped[str] = mapped_column(Text)


class VoucherPurchase(MetadataColumn, Base):
    """An order for vouchers of one program by one partner."""

    __tablename__ = "voucher_purchases"
    __impersonal__ = (
        "organization_id id partner_id program_id code status quantity quantity_used amount_paid is_archived"
        " purchased_at amount checkout_expires_at version"
    )
    __table_args__ = (
        _refers_to("voucher_partners", "partner_id"),
        _refers_to("voucher_programs", "program_id"),
        UniqueConstraint("organization_id", "code"),
        Index("voucher_purchases_by_status_index", "organization_id", "status", "partner_id", "id"),
        Index("voucher_purchases_by_partner_index", "organization_id", "partner_id", "status", "id"),
        Index("voucher_purchases_by_program_index", "organization_id", "program_id", "partner_id", "id"),
        _by_present("voucher_purchases_by_email_index", "purchased_by_email_key"),
        Index(
            *("voucher_purchases_by_deadline_index", "organization_id", "checkout_expires_at", "id"),
            postgresql_where="status = 'CheckoutInProgress'",
        ),
        Index("voucher_purchases_archived_index", "organization_id", "id", postgresql_where="is_archived"),
        CheckConstraint(
            "status in ('CheckoutInProgress', 'CheckoutCancelled', 'CheckoutExpired', 'CheckoutFailed',"
            " 'VoucherCreation', 'Complete')",
            name="status",
        ),
        CheckConstraint("quantity between 1 and 1000", name="quantity"),
        CheckConstraint("quantity_used between 0 and quantity", name="quantity_used"),
        CheckConstraint("amount_paid >= 0", name="amount_paid"),
        CheckConstraint("amount >= 0", name="amount"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    partner_id: Mapped[UUID]
    program_id: Mapped[UUID]
    code: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int]
    quantity_used: Mapped[int]
    amount_paid: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    notes: Mapped[str] = mapped_column(Text, info=personal_data.NOTES)
    is_archived: Mapped[bool]
    purchased_by_first_name: Mapped[str] = mapped_column(Text, info=personal_data.BUYER_NAME)
    purchased_by_last_name: Mapped[str] = mapped_column(Text, info=personal_data.BUYER_NAME)
    purchased_by_email: Mapped[str | None] = mapped_column(Text, info=personal_data.BUYER_EMAIL)
    purchased_by_email_key: Mapped[str | None] = mapped_column(
        Text, Computed('lower(purchased_by_email collate "C")', persisted=True), info=personal_data.BUYER_EMAIL
    )
    purchased_at: Mapped[datetime] = mapped_column(Timestamp)
    # The price, whether paid or not, and the deadline of the payment, which is null for free purchases.
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 2))
    checkout_expires_at: Mapped[datetime | None] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class VoucherCodeSpace(Base):
    """The number of issued codes with a prefix, which decides the length of the next codes."""

    __tablename__ = "voucher_code_spaces"
    __impersonal__ = "organization_id prefix issued"

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    prefix: Mapped[str] = mapped_column(Text, primary_key=True)
    issued: Mapped[int] = mapped_column(BigInteger)


class Voucher(MetadataColumn, Base):
    """A single-use code that pays for one exam; the reservation is its latest one, and `held_by` is a redemption."""

    __tablename__ = "vouchers"
    __impersonal__ = (
        "organization_id id purchase_id partner_id code is_active is_used expires_at assigned_at"
        " reservation_status store_exam_id used_at is_archived held_by held_until version"
    )
    __table_args__ = (
        _refers_to("voucher_purchases", "purchase_id"),
        _refers_to("store_exams", "store_exam_id"),
        # Also finds vouchers by the beginning of their codes; its operators compare bytes in every collation.
        _unique_by_prefix("vouchers_by_code_index", "code"),
        # Includes the partner, which row-level security compares, for index-only scans.
        Index(
            "vouchers_by_use_index", "organization_id", "is_used", "is_active", "id", postgresql_include=["partner_id"]
        ),
        Index("vouchers_by_partner_index", "organization_id", "partner_id", "is_active", "is_used", "id"),
        Index("vouchers_by_purchase_index", "organization_id", "purchase_id", "partner_id", "id"),
        _by_present("vouchers_by_recipient_index", "recipient_email_key"),
        Index(
            *("vouchers_by_reservation_index", "organization_id", "reservation_code", "id"),
            postgresql_where="reservation_code is not null",
        ),
        _by_present("vouchers_by_store_exam_index", "store_exam_id"),
        _by_present("vouchers_by_candidate_index", "used_by_person_id"),
        Index("vouchers_archived_index", "organization_id", "id", postgresql_where="is_archived"),
        CheckConstraint(
            "reservation_status in ('Created', 'Rescheduled', 'Completed', 'NoShow', 'Cancelled')",
            name="reservation_status",
        ),
        CheckConstraint("(assigned_at is null) = (recipient_email is null)", name="assigned"),
        CheckConstraint("(reservation_code is null) = (reservation_status is null)", name="reservation"),
        CheckConstraint(
            "used_at is null or num_nulls(used_by_person_id, used_by_client_candidate_id, used_by_first_name,"
            " used_by_last_name, reservation_code, store_exam_id) = 0",
            name="used",
        ),
        CheckConstraint(
            "(held_by is null) = (held_until is null) and (held_by is null or used_at is null)", name="held"
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    purchase_id: Mapped[UUID]
    partner_id: Mapped[UUID]
    code: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool]
    is_used: Mapped[bool] = mapped_column(Computed("used_at is not null", persisted=True))
    expires_at: Mapped[datetime] = mapped_column(Timestamp)
    assigned_at: Mapped[datetime | None] = mapped_column(Timestamp)
    recipient_email: Mapped[str | None] = mapped_column(Text, info=personal_data.RECIPIENT_EMAIL)
    recipient_email_key: Mapped[str | None] = mapped_column(
        Text, Computed('lower(recipient_email collate "C")', persisted=True), info=personal_data.RECIPIENT_EMAIL
    )
    reservation_code: Mapped[str | None] = mapped_column(Text, info=personal_data.BOOKING)
    reservation_status: Mapped[str | None] = mapped_column(Text)
    store_exam_id: Mapped[UUID | None]
    used_at: Mapped[datetime | None] = mapped_column(Timestamp)
    used_by_person_id: Mapped[str | None] = mapped_column(Text, info=personal_data.PERSON_ID)
    used_by_client_candidate_id: Mapped[str | None] = mapped_column(Text, info=personal_data.CLIENT_CANDIDATE_ID)
    used_by_first_name: Mapped[str | None] = mapped_column(Text, info=personal_data.CANDIDATE_NAME)
    used_by_last_name: Mapped[str | None] = mapped_column(Text, info=personal_data.CANDIDATE_NAME)
    is_archived: Mapped[bool]
    held_by: Mapped[UUID | None]
    held_until: Mapped[datetime | None] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)
