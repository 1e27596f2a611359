"""Time limits of the application's statements, as settings of its role.

Each connection sets the same limits. A pooler loses the settings of a session when it replaces the connection, and only
those of the role remain. Owners and migrations have no limits.
"""

from migrations import steps

revision = "0018"
down_revision = "0017"
compatible_since = "0014"

_LIMITS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
    "client_connection_check_interval": "1s",
}


def upgrade() -> None:
    steps.set_for_application(_LIMITS)


def downgrade() -> None:
    steps.reset_for_application(_LIMITS)
