"""Totals of a day that has more than a hundred of the largest discounts."""

from alembic import op

revision = "0042"
down_revision = "0041"
compatible_since = "0014"


def upgrade() -> None:
    # A larger precision with the same scale rewrites neither the table nor its indexes.
    op.execute(
        "-- squawk-ignore changing-column-type\nalter table redemption_totals alter column discount type numeric(24, 2)"
    )


def downgrade() -> None:
    op.execute("alter table redemption_totals alter column discount type numeric(14, 2)")
