"""An index that counts the waiting jobs of an organization."""

from alembic import op

from migrations import steps

revision = "0019"
down_revision = "0018"
compatible_since = "0014"


def upgrade() -> None:
    steps.create_index(
        "waiting_jobs_by_organization_index",
        "procrastinate_jobs ((args ->> 'organization_id'), task_name) where status = 'todo'",
    )


def downgrade() -> None:
    op.execute("drop index waiting_jobs_by_organization_index")
