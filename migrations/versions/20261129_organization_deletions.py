"""Deletions of organizations."""

from alembic import op

from migrations import functions, steps, tenancy

revision = "0038"
down_revision = "0037"
compatible_since = "0014"

TABLE = """
create table organization_deletions (
    organization_id uuid not null,
    digest bytea not null,
    requested_at timestamptz not null,
    due_at timestamptz not null,
    begun_at timestamptz,
    constraint organization_deletions_pk primary key (organization_id),
    constraint organization_deletions_organization_id_fk foreign key (organization_id) references organizations (id)
)
"""
# The tables whose rows the application may not delete itself.
PROTECTED = (
    "audit_entries",
    "audit_seals",
    "redemption_ledger",
    "redemptions",
    "report_marks",
    "reservations",
    "voucher_totals",
)


def upgrade() -> None:
    for table in PROTECTED:
        op.execute(f"drop policy if exists owner_deletes on {table}")
        op.execute(f"create policy owner_deletes on {table} for delete to tessera_owner using (true)")
        steps.commit()
    op.execute(TABLE)
    tenancy.lock("organization_deletions")
    tenancy.close_to_partners("organization_deletions")
    functions.install("delete_organization_rows", 1)


def downgrade() -> None:
    op.execute("drop function delete_organization_rows(uuid, text, integer)")
    op.execute("drop table organization_deletions")
    for table in PROTECTED:
        op.execute(f"drop policy owner_deletes on {table}")
