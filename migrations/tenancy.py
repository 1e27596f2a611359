"""Row-level security: a transaction sees only the rows of its organization and, if one is pinned, of its partner.

Applied revisions call these functions, so the SQL that a function emits must never change. A new rule needs a new
function.
"""

from alembic import op

CURRENT_ORGANIZATION = "nullif(current_setting('app.organization_id', true), '')::uuid"


def lock(table: str, *, column: str = "organization_id", grants: str = "select, insert, update, delete") -> None:
    """Restrict the application to the rows of the pinned organization.

    The owner may read all rows, because its SECURITY DEFINER functions must; FORCE prevents it from writing rows.
    """
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy tenant on {table} to tessera_app using ({column} = {CURRENT_ORGANIZATION})")
    op.execute(f"create policy owner_reads on {table} for select to tessera_owner using (true)")
    op.execute(f"grant {grants} on {table} to tessera_app")


# A sub-select, because Postgres evaluates it once for each statement and not once for each row.
CURRENT_PARTNER = "(select nullif(current_setting('app.partner_id', true), '')::uuid)"


def lock_partner(table: str, condition: str) -> None:
    """Restrict users of a voucher partner to rows that meet the condition, in addition to the tenant policy."""
    op.execute(
        f"create policy partner on {table} as restrictive to tessera_app"
        f" using ({CURRENT_PARTNER} is null or ({condition}))"
    )


def close_to_partners(table: str) -> None:
    """Hide a table from users of voucher partners."""
    lock_partner(table, "false")


def close_writes_to_partners(table: str) -> None:
    """Give users of voucher partners read-only access to a table, subject to its other policies."""
    for action, clause in (("insert", "with check"), ("update", "using"), ("delete", "using")):
        op.execute(
            f"create policy partner_{action} on {table} as restrictive for {action} to tessera_app"
            f" {clause} ({CURRENT_PARTNER} is null)"
        )


def close_reading_to_partners(table: str) -> None:
    """Give users of voucher partners insert-only access to a table, such as a log of their actions."""
    for action in ("select", "update", "delete"):
        op.execute(
            f"create policy partner_{action} on {table} as restrictive for {action} to tessera_app"
            f" using ({CURRENT_PARTNER} is null)"
        )
