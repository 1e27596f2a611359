"""Time limits of the application's statements, as settings of its role.

Each connection sets the same limits. A pooler loses the settings of a session when it replaces the connection, and only
those of the role remain. Owners and migrations have no limits.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
compatible_since = "0014"

_LIMITS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "20s",
    "client_connection_check_interval": "1s",
}
# A role may change its own settings, which takes no right that a managed login lacks. A login that may not act as the
# application has a database administrator, who can run the same statements.
_AS_APPLICATION = """
do $$ begin
    set local role tessera_app;
    {statements}
    set local role tessera_owner;
exception when insufficient_privilege then
    raise warning 'the time limits of the role tessera_app are not set: %', sqlerrm;
end $$
"""


def upgrade() -> None:
    _alter_role([f"set {name} = ''{value}''" for name, value in _LIMITS.items()])


def downgrade() -> None:
    _alter_role([f"reset {name}" for name in _LIMITS])


def _alter_role(changes: list[str]) -> None:
    statements = "\n    ".join(
        f"execute format('alter role tessera_app in database %I {change}', current_database());" for change in changes
    )
    op.execute(_AS_APPLICATION.format(statements=statements))
