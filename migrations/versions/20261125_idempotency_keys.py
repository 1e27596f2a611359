"""A keyed request does not lock the row of its organization, which all others refer to."""

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
