"""A function that finds the promo codes of a storefront's organization, and global promo codes."""

from alembic import op

from migrations import functions

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    functions.install("find_promo_codes_for_storefront", 1)


def downgrade() -> None:
    op.execute("drop function find_promo_codes_for_storefront(text[], uuid, uuid, text)")
