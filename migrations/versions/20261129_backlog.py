"""What operators watch: audit entries without a seal, and failed jobs."""

from alembic import op

from migrations import functions, steps

revision = "0023"
down_revision = "0022"
compatible_since = "0014"


def upgrade() -> None:
    functions.install("list_unsealed_entries", 1)
    # Failed jobs are few among those that succeeded in the last days.
    steps.create_index("failed_jobs_index", "procrastinate_jobs (id) where status = 'failed'")


def downgrade() -> None:
    op.execute("drop index failed_jobs_index")
    op.execute("drop function list_unsealed_entries()")
