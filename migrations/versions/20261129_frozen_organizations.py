"""Organizations that can be read and not changed, so that they can be copied."""

from alembic import op

from migrations import functions

revision = "0034"
down_revision = "0033"
compatible_since = "0014"


def upgrade() -> None:
    op.execute("alter table organizations add column if not exists frozen_at timestamptz")
    functions.install("hold_organization", 1)
    functions.install("hold_organizations", 1)
    functions.install("list_lapsed_holds", 3)


def downgrade() -> None:
    functions.install("list_lapsed_holds", 2)
    op.execute("drop function hold_organizations(uuid[])")
    op.execute("drop function hold_organization(uuid)")
    op.execute("alter table organizations drop column frozen_at")
