"""The second lock of every tenant table: row-level security, forced."""

from alembic import op

CURRENT_ORGANIZATION = "nullif(current_setting('app.organization_id', true), '')::uuid"


def lock(table: str, *, column: str = "organization_id", grants: str = "select, insert, update, delete") -> None:
    """Let the application see and write the pinned organization's rows alone.

    The owner may read all rows, as its SECURITY DEFINER functions must; being forced, it can do no more.
    """
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(f"create policy tenant on {table} to tessera_app using ({column} = {CURRENT_ORGANIZATION})")
    op.execute(f"create policy owner_reads on {table} for select to tessera_owner using (true)")
    op.execute(f"grant {grants} on {table} to tessera_app")


# A sub-select, so that it is evaluated once for a statement and not for each row.
CURRENT_PARTNER = "(select nullif(current_setting('app.partner_id', true), '')::uuid)"


def lock_partner(table: str, condition: str) -> None:
    """Let a voucher partner's user see and write only rows that meet the condition; restrictive: both locks must open."""
    op.execute(
        f"create policy partner on {table} as restrictive to tessera_app"
        f" using ({CURRENT_PARTNER} is null or ({condition}))"
    )


def close_to_partners(table: str) -> None:
    """Keep a table from voucher partners' users altogether."""
    lock_partner(table, "false")


def close_writes_to_partners(table: str) -> None:
    """Let voucher partners' users read a table, as far as other policies do, and never write it."""
    for action, clause in (("insert", "with check"), ("update", "using"), ("delete", "using")):
        op.execute(
            f"create policy partner_{action} on {table} as restrictive for {action} to tessera_app"
            f" {clause} ({CURRENT_PARTNER} is null)"
        )


def close_reading_to_partners(table: str) -> None:
    """Let voucher partners' users add to a table, as what they do is recorded, and never read, change or take from it."""
    for action in ("select", "update", "delete"):
        op.execute(
            f"create policy partner_{action} on {table} as restrictive for {action} to tessera_app"
            f" using ({CURRENT_PARTNER} is null)"
        )
