"""An index that counts the waiting jobs of an organization."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # A concurrent build waits for transactions, and nothing waits for it.
        op.execute("set lock_timeout = 0")
        # An interrupted build leaves an invalid index.
        op.execute("drop index concurrently if exists waiting_jobs_by_organization_index")
        op.execute(
            "create index concurrently waiting_jobs_by_organization_index"
            " on procrastinate_jobs ((args ->> 'organization_id'), task_name) where status = 'todo'"
        )
        op.execute("set lock_timeout = '5s'")


def downgrade() -> None:
    op.execute("drop index waiting_jobs_by_organization_index")
