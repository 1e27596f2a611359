"""Find the tokens of a user without reading everyone's, as removing a user must."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("create index issued_tokens_organization_id_user_id_index on issued_tokens (organization_id, user_id)")


def downgrade() -> None:
    op.execute("drop index issued_tokens_organization_id_user_id_index")
