"""An index that returns vouchers of one use and state in the order of ids."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute(
        "create index vouchers_by_use_index on vouchers (organization_id, is_used, is_active, id) include (partner_id)"
    )
    op.execute("drop index vouchers_by_state_index")


def downgrade() -> None:
    op.execute("create index vouchers_by_state_index on vouchers (organization_id, is_active, is_used, partner_id, id)")
    op.execute("drop index vouchers_by_use_index")
