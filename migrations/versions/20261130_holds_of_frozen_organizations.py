"""Lapsed holds of global codes, which stay when their organization is frozen meanwhile."""

from migrations import functions

revision = "0045"
down_revision = "0044"
compatible_since = "0014"


def upgrade() -> None:
    functions.install("expire_lapsed_holds", 2)


def downgrade() -> None:
    functions.install("expire_lapsed_holds", 1)
