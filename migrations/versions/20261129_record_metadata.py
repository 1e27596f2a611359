"""Metadata of promo codes, voucher programs, purchases, vouchers and redemptions."""

from alembic import op

from migrations import tenancy

revision = "0028"
down_revision = "0027"
compatible_since = "0014"

# Without a foreign key, because the records are rows of five tables, and are never deleted.
TABLE = """
create table record_metadata (
    organization_id uuid not null,
    kind text not null constraint record_metadata_kind_check
        check (kind in ('PromoCode', 'VoucherProgram', 'VoucherPurchase', 'Voucher', 'Redemption')),
    record_id uuid not null,
    key text not null,
    value text not null,
    constraint record_metadata_pk primary key (organization_id, kind, record_id, key),
    constraint record_metadata_length_check check (char_length(key) between 1 and 40 and char_length(value) <= 500)
)
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(
        "create index record_metadata_by_value_index on record_metadata (organization_id, kind, key, value, record_id)"
    )
    tenancy.lock("record_metadata", grants="select, insert, delete")
    tenancy.close_to_partners("record_metadata")


def downgrade() -> None:
    op.execute("drop table record_metadata")
