"""Functions for thousands of organizations: one is looked up by its index, and more lapsed holds are listed at once."""

from alembic import op

from migrations import functions

revision = "0031"
down_revision = "0030"
compatible_since = "0014"


def upgrade() -> None:
    functions.install("list_lapsed_holds", 2)
    functions.install("find_organizations", 1)


def downgrade() -> None:
    op.execute("drop function find_organizations(uuid, text)")
    functions.install("list_lapsed_holds", 1)
