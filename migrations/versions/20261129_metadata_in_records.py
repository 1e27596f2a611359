"""Metadata in the rows of their records, and metadata of the codes of a batch.

The rows of `record_metadata` remain, because lists find records by them.
"""

from alembic import op

from migrations import steps

revision = "0029"
down_revision = "0028"
compatible_since = "0014"

KINDS = {
    "promo_codes": "PromoCode",
    "voucher_programs": "VoucherProgram",
    "voucher_purchases": "VoucherPurchase",
    "vouchers": "Voucher",
    "redemptions": "Redemption",
}
TABLES = (*KINDS, "promo_code_batches")
FILL = """
update {table} r set metadata = m.texts
from (
    select organization_id, record_id, jsonb_object_agg(key, value) as texts
    from record_metadata where kind = '{kind}' group by organization_id, record_id
) m
where r.organization_id = m.organization_id and r.id = m.record_id and r.metadata is null
"""


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table {table} add column if not exists metadata jsonb")
        steps.commit()
    for table, kind in KINDS.items():
        rows = f"select exists (select from record_metadata where kind = '{kind}')"
        if not op.get_bind().exec_driver_sql(rows).scalar_one():
            continue  # an upgrade from a release, which had no metadata, does not lock the table
        # Forced row-level security lets the owner only read, so it is lifted within this transaction.
        op.execute(f"alter table {table} no force row level security")
        op.execute(FILL.format(table=table, kind=kind))
        op.execute(f"alter table {table} force row level security")
        steps.commit()


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"alter table {table} drop column metadata")
