"""Tables of promo codes and of their restrictions."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tessera.kit import editing
from tessera.kit.db import personal_data
from tessera.kit.db.table_base import Base, MetadataColumn, Timestamp

# The codes that the documented list can express: a percentage for some exams, with an expiry and a limit in total.
LISTED = "discount_percent is not null and has_store_exams and expires_at is not null and max_redemptions is not null"

KIND = "case when discount_percent is null then 'Flat' else 'Percent' end"


def _references_promo_code() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["organization_id", "promo_code_id"], ["promo_codes.organization_id", "promo_codes.id"])


class TermColumns(MetadataColumn):
    """The columns of `PromoCodeTerms`; a batch has them for all its codes."""

    discount_percent: Mapped[int | None]
    flat_discount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    starts_at: Mapped[datetime | None] = mapped_column(Timestamp)
    expires_at: Mapped[datetime | None] = mapped_column(Timestamp)
    max_redemptions: Mapped[int | None]
    max_redemptions_per_candidate: Mapped[int | None]
    max_redemptions_per_organization: Mapped[int | None]
    is_combinable: Mapped[bool | None]
    campaign: Mapped[str | None] = mapped_column(Text)
    campaign_key: Mapped[str | None] = mapped_column(Text)
    notes: Mapped[str | None] = mapped_column(Text, info=personal_data.NOTES)


class PromoCode(TermColumns, Base):
    """A discount with a name: a percentage or a flat amount. Null means no limit or no expiry."""

    __tablename__ = "promo_codes"
    __impersonal__ = (
        "organization_id id name name_key status kind redemption_count held_count restrict_to_email_addresses"
        " has_store_exams has_product_bundles is_listed batch_id created_at version discount_percent"
        " flat_discount starts_at expires_at max_redemptions max_redemptions_per_candidate"
        " max_redemptions_per_organization is_combinable campaign campaign_key"
    )
    __table_args__ = (
        # Also finds codes by their beginning; its operators compare bytes, whatever the collation of the database.
        Index(
            "promo_codes_by_name_index",
            "organization_id",
            "name_key",
            unique=True,
            postgresql_ops={"name_key": "text_pattern_ops"},
        ),
        # One index serves every filter by status and restriction; at most 10,000 ids are sorted afterwards.
        Index(
            "promo_codes_listed_index",
            "organization_id",
            "status",
            "restrict_to_email_addresses",
            "id",
            postgresql_where="is_listed",
        ),
        # Lists of any length are in the order of ids, so each filter by status and kind has a separate index.
        Index("promo_codes_by_status_index", "organization_id", "status", "id"),
        Index("promo_codes_by_kind_index", "organization_id", "kind", "id"),
        Index("promo_codes_by_status_and_kind_index", "organization_id", "status", "kind", "id"),
        ForeignKeyConstraint(
            ["organization_id", "batch_id"], ["promo_code_batches.organization_id", "promo_code_batches.id"]
        ),
        Index(
            "promo_codes_by_batch_index", "organization_id", "batch_id", "id", postgresql_where="batch_id is not null"
        ),
        Index(
            "promo_codes_by_campaign_index",
            "organization_id",
            "campaign_key",
            "id",
            postgresql_where="campaign_key is not null",
        ),
        CheckConstraint("(discount_percent is null) <> (flat_discount is null)", name="percent_xor_flat"),
        CheckConstraint("discount_percent between 1 and 100", name="discount_percent"),
        CheckConstraint("flat_discount > 0", name="flat_discount"),
        CheckConstraint("status in ('Inactive', 'Active', 'Archived')", name="status"),
        CheckConstraint("starts_at < expires_at", name="starts_at"),
        CheckConstraint("max_redemptions >= 1", name="max_redemptions"),
        CheckConstraint(
            "max_redemptions_per_candidate between 1 and max_redemptions", name="max_redemptions_per_candidate"
        ),
        CheckConstraint(
            "max_redemptions_per_organization between 1 and max_redemptions", name="max_redemptions_per_organization"
        ),
        # All organizations can use the codes of the platform.
        CheckConstraint(
            "max_redemptions_per_organization is null"
            " or organization_id = '00000000-0000-0000-0000-000000000000'::uuid",
            name="share_of_platform",
        ),
        # Only codes with a limit in total have counts.
        CheckConstraint(
            "redemption_count >= 0 and held_count >= 0"
            " and redemption_count + held_count <= coalesce(max_redemptions, redemption_count + held_count)",
            name="uses",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(Text, Computed('lower(name collate "C")', persisted=True))
    status: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text, Computed(KIND, persisted=True))
    redemption_count: Mapped[int]
    held_count: Mapped[int]
    restrict_to_email_addresses: Mapped[bool]
    has_store_exams: Mapped[bool]
    has_product_bundles: Mapped[bool]
    is_listed: Mapped[bool] = mapped_column(Computed(LISTED, persisted=True))
    batch_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class PromoCodeBatch(TermColumns, Base):
    """Promo codes with one pattern and the same terms; `made` is the number of those created so far."""

    __tablename__ = "promo_code_batches"
    __impersonal__ = (
        "organization_id id prefix prefix_key length alphabet quantity made status code_status store_exam_ids"
        " product_bundle_ids created_at version discount_percent flat_discount starts_at expires_at"
        " max_redemptions max_redemptions_per_candidate max_redemptions_per_organization is_combinable"
        " campaign campaign_key"
    )
    __table_args__ = (
        # For counting the names that earlier batches of the same pattern use.
        Index("promo_code_batches_by_pattern_index", "organization_id", "prefix_key", "length"),
        CheckConstraint("status in ('InProgress', 'Cancelled', 'Exhausted', 'Complete')", name="status"),
        CheckConstraint("quantity between 1 and 1000000", name="quantity"),
        CheckConstraint("made between 0 and quantity and (status = 'Complete') = (made = quantity)", name="made"),
        CheckConstraint("length >= 1 and length + char_length(prefix) between 3 and 25", name="length"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    prefix: Mapped[str] = mapped_column(Text)
    prefix_key: Mapped[str] = mapped_column(Text, Computed('lower(prefix collate "C")', persisted=True))
    length: Mapped[int]
    alphabet: Mapped[str] = mapped_column(Text)
    quantity: Mapped[int]
    made: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    code_status: Mapped[str] = mapped_column(Text)
    store_exam_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    product_bundle_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    created_at: Mapped[datetime] = mapped_column(Timestamp)
    version: Mapped[int] = mapped_column(default=editing.FIRST)


class PromoCodeShare(Base):
    """The uses of a global promo code by one organization; only codes with a limit for each organization have them."""

    __tablename__ = "promo_code_shares"
    __impersonal__ = "organization_id promo_code_id used_by redemption_count held_count"
    __table_args__ = (
        _references_promo_code(),
        CheckConstraint("redemption_count >= 0 and held_count >= 0", name="uses"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    promo_code_id: Mapped[UUID] = mapped_column(primary_key=True)
    used_by: Mapped[UUID] = mapped_column(primary_key=True)
    redemption_count: Mapped[int]
    held_count: Mapped[int]


class PromoCodeStoreExam(Base):
    """One store exam to which a promo code is restricted."""

    __tablename__ = "promo_code_store_exams"
    __impersonal__ = "organization_id promo_code_id store_exam_id position"
    __table_args__ = (
        _references_promo_code(),
        ForeignKeyConstraint(["organization_id", "store_exam_id"], ["store_exams.organization_id", "store_exams.id"]),
        Index("promo_code_store_exams_by_store_exam_index", "organization_id", "store_exam_id", "promo_code_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    promo_code_id: Mapped[UUID] = mapped_column(primary_key=True)
    store_exam_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int]


class PromoCodeProductBundle(Base):
    """One product bundle to which a promo code is restricted."""

    __tablename__ = "promo_code_product_bundles"
    __impersonal__ = "organization_id promo_code_id product_bundle_id"
    __table_args__ = (
        _references_promo_code(),
        ForeignKeyConstraint(
            ["organization_id", "product_bundle_id"], ["product_bundles.organization_id", "product_bundles.id"]
        ),
        Index(
            "promo_code_product_bundles_by_product_bundle_index",
            "organization_id",
            "product_bundle_id",
            "promo_code_id",
        ),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    promo_code_id: Mapped[UUID] = mapped_column(primary_key=True)
    product_bundle_id: Mapped[UUID] = mapped_column(primary_key=True)


class PromoCodeEmailAddress(Base):
    """One e-mail address to which a promo code is restricted; the key is the address in lower case."""

    __tablename__ = "promo_code_email_addresses"
    __impersonal__ = "organization_id promo_code_id position"
    __table_args__ = (
        _references_promo_code(),
        Index("promo_code_email_addresses_by_email_index", "organization_id", "email_key", "promo_code_id"),
    )

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    promo_code_id: Mapped[UUID] = mapped_column(primary_key=True)
    email_key: Mapped[str] = mapped_column(Text, primary_key=True, info=personal_data.LISTED_EMAIL)
    email: Mapped[str] = mapped_column(Text, info=personal_data.LISTED_EMAIL)
    position: Mapped[int]
