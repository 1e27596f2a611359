"""Old idempotency keys, of which those of frozen organizations are read once in each run of the job."""

from alembic import op

from migrations import functions

revision = "0046"
down_revision = "0045"
compatible_since = "0014"


def upgrade() -> None:
    # No release calls this one.
    op.execute("-- squawk-ignore ban-drop-function\ndrop function delete_idempotency_keys(timestamptz, integer)")
    functions.install("delete_idempotency_keys", 3)


def downgrade() -> None:
    op.execute("drop function delete_idempotency_keys(timestamptz, timestamptz, integer)")
    functions.install("delete_idempotency_keys", 2)
