"""A function that finds callers by their credentials, in one statement for all organizations."""

from alembic import op

from migrations import functions

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    functions.install("find_callers", 1)


def downgrade() -> None:
    op.execute("drop function find_callers(text[], uuid[], uuid[])")
