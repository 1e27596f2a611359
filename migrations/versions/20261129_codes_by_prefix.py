"""Unique indexes that also find promo codes and vouchers by the beginning of their codes, in every collation."""

from alembic import op

revision = "0015"
down_revision = "0014"

# For each table: the new index, its column, and the constraint that it replaces.
INDEXES = (
    ("promo_codes", "promo_codes_by_name_index", "name_key", "promo_codes_organization_id_name_key_key"),
    ("vouchers", "vouchers_by_code_index", "code", "vouchers_organization_id_code_key"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A concurrent build waits for transactions, and nothing waits for it.
        op.execute("set lock_timeout = 0")
        for table, index, column, _ in INDEXES:
            # An interrupted build leaves an invalid index.
            op.execute(f"drop index concurrently if exists {index}")
            op.execute(
                f"create unique index concurrently {index} on {table} (organization_id, {column} text_pattern_ops)"
            )
        op.execute("set lock_timeout = '5s'")
    for table, _, _, constraint in INDEXES:
        op.execute(f"alter table {table} drop constraint {constraint}")


def downgrade() -> None:
    for table, index, column, constraint in INDEXES:
        op.execute(f"alter table {table} add constraint {constraint} unique (organization_id, {column})")
        op.execute(f"drop index {index}")
