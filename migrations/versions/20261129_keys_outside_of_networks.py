"""Callers with a key from outside of its networks, whose owner can then be told from those who try secrets for it."""

from migrations import functions

revision = "0032"
down_revision = "0031"
compatible_since = "0014"


def upgrade() -> None:
    functions.install("find_callers", 3)


def downgrade() -> None:
    functions.install("find_callers", 2)
