"""Limits in total that promo codes can get and lose at any time."""

from alembic import op

from migrations import functions

revision = "0021"
down_revision = "0020"
compatible_since = "0014"


def upgrade() -> None:
    functions.install("lock_promo_codes", 2)
    functions.install("recount_promo_codes", 1)


def downgrade() -> None:
    op.execute("drop function recount_promo_codes(uuid[], timestamptz)")
    functions.install("lock_promo_codes", 1)
