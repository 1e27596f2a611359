"""Totals of closed days can be computed again, which removes the old ones."""

from alembic import op

revision = "0027"
down_revision = "0026"
compatible_since = "0014"


def upgrade() -> None:
    op.execute("grant delete on redemption_totals to tessera_app")


def downgrade() -> None:
    op.execute("revoke delete on redemption_totals from tessera_app")
