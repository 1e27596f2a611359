"""Validation without a product bundle no longer reads the tables of bundles and exams."""

from migrations import functions

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    functions.install("find_promo_code_usability", 3)


def downgrade() -> None:
    functions.install("find_promo_code_usability", 2)
