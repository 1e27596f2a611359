"""A request with an idempotency key no longer locks the row of its organization, which many others reference."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("alter table idempotency_keys drop constraint idempotency_keys_organization_id_fk")


def downgrade() -> None:
    op.execute(
        "alter table idempotency_keys add constraint idempotency_keys_organization_id_fk"
        " foreign key (organization_id) references organizations (id)"
    )
