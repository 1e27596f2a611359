"""The application's time zone and planner settings, as settings of its role.

Each connection sets the same. A pooler loses the settings of a session when it replaces the connection, and only those
of the role remain.
"""

from migrations import steps

revision = "0026"
down_revision = "0025"
compatible_since = "0014"

_SETTINGS = {
    "TimeZone": "UTC",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "random_page_cost": "1.1",
}


def upgrade() -> None:
    steps.set_for_application(_SETTINGS)


def downgrade() -> None:
    steps.reset_for_application(_SETTINGS)
