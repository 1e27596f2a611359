"""Row-level security: the pinned organization sees only its rows, and users of a voucher partner only their share.

Applied revisions call these functions, so the SQL that a function emits never changes: a new rule gets a new function.
"""

from alembic import op

CURRENT_ORGANIZATION = "nullif(current_setting('app.organization_id', true), '')::uuid"


def lock(table: str, *, column: str = "organization_id", grants: str = "select, insert, update, delete") -> None:
    """Restrict the application to the rows of the pinned organization.

    The owner may read all rows, because its SECURITY DEFINER functions must; FORCE keeps it from writing any.
    """
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy tenant on {table} to tessera_app using ({column} = {CURRENT_ORGANIZATION})")
    op.execute(f"create policy owner_reads on {table} for select to tessera_owner using (true)")
    op.execute(f"grant {grants} on {table} to tessera_app")


# A sub-select, which Postgres evaluates once for a statement and not once for each row.
CURRENT_PARTNER = "(select nullif(current_setting('app.partner_id', true), '')::uuid)"


def lock_partner(table: str, condition: str) -> None:
    """Restrict users of a voucher partner to rows that meet the condition, in addition to the policy of the tenant."""
    op.execute(
        f"create policy partner on {table} as restrictive to tessera_app"
        f" using ({CURRENT_PARTNER} is null or ({condition}))"
    )


def close_to_partners(table: str) -> None:
    """Hide a table from users of voucher partners."""
    lock_partner(table, "false")


def close_writes_to_partners(table: str) -> None:
    """Let users of voucher partners only read a table, within its other policies."""
    for action, clause in (("insert", "with check"), ("update", "using"), ("delete", "using")):
        op.execute(
            f"create policy partner_{action} on {table} as restrictive for {action} to tessera_app"
            f" {clause} ({CURRENT_PARTNER} is null)"
        )


def close_reading_to_partners(table: str) -> None:
    """Let users of voucher partners only insert into a table, such as one that records their actions."""
    for action in ("select", "update", "delete"):
        op.execute(
            f"create policy partner_{action} on {table} as restrictive for {action} to tessera_app"
            f" using ({CURRENT_PARTNER} is null)"
        )
