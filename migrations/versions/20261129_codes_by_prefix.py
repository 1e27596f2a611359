"""Unique indexes that also find promo codes and vouchers by the beginning of their codes, in every collation."""

from alembic import op

from migrations import steps

revision = "0015"
down_revision = "0014"
compatible_since = "0014"

# For each table: the new index, its column, and the constraint that it replaces.
INDEXES = (
    ("promo_codes", "promo_codes_by_name_index", "name_key", "promo_codes_organization_id_name_key_key"),
    ("vouchers", "vouchers_by_code_index", "code", "vouchers_organization_id_code_key"),
)


def upgrade() -> None:
    for table, index, column, constraint in INDEXES:
        steps.create_index(index, f"{table} (organization_id, {column} text_pattern_ops)", unique=True)
        # The new index is unique, too.
        op.execute(f"-- squawk-ignore ban-drop-constraint\nalter table {table} drop constraint if exists {constraint}")
        steps.commit()


def downgrade() -> None:
    for table, index, column, constraint in INDEXES:
        op.execute(f"alter table {table} add constraint {constraint} unique (organization_id, {column})")
        op.execute(f"drop index {index}")
