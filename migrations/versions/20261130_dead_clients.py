"""Keepalives of the application's connections, as settings of its role, so that those of a client that vanished end.

Each connection sets the same ones. A pooler loses the settings of a session when it replaces the connection.
"""

from migrations import steps

revision = "0047"
down_revision = "0046"
compatible_since = "0014"

_KEEPALIVES = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}


def upgrade() -> None:
    steps.set_for_application(_KEEPALIVES)


def downgrade() -> None:
    steps.reset_for_application(_KEEPALIVES)
