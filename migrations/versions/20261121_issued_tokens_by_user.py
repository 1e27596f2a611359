"""An index of issued tokens by user."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("create index issued_tokens_organization_id_user_id_index on issued_tokens (organization_id, user_id)")


def downgrade() -> None:
    op.execute("drop index issued_tokens_organization_id_user_id_index")
