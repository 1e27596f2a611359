"""Retention: the periods of organizations, anonymised reservations, and the stub of a log that was shortened."""

from alembic import op

from migrations import functions, steps, tenancy

revision = "0039"
down_revision = "0038"
compatible_since = "0014"

SETTINGS = """
create table retention_settings (
    organization_id uuid not null constraint retention_settings_organization_id_fk references organizations (id),
    candidates_after_days integer,
    tokens_after_days integer,
    audit_after_months integer,
    constraint retention_settings_pk primary key (organization_id),
    constraint retention_settings_periods_check check (
        candidates_after_days between 1 and 3660 and tokens_after_days between 1 and 3660
        and audit_after_months between 1 and 120
    )
)
"""
STUBS = """
create table audit_stubs (
    organization_id uuid not null,
    position bigint not null,
    digest bytea not null,
    dropped_at timestamptz not null,
    constraint audit_stubs_pk primary key (organization_id)
)
"""
ENDED = """
reservations (organization_id, updated_at, id)
where status in ('Completed', 'NoShow', 'Cancelled') and anonymised_at is null
"""
CLOSED = """
redemptions (organization_id, updated_at, id)
where status in ('Released', 'Expired', 'Cancelled') and person_id <> '[anonymised]'
"""


def upgrade() -> None:
    op.execute("alter table reservations add column if not exists anonymised_at timestamptz")
    steps.create_index("reservations_ended_index", ENDED)
    steps.create_index("redemptions_closed_index", CLOSED)
    op.execute(SETTINGS)
    tenancy.lock("retention_settings")
    tenancy.close_to_partners("retention_settings")
    op.execute(STUBS)
    tenancy.lock("audit_stubs", grants="select, insert")
    tenancy.close_to_partners("audit_stubs")
    # The application cannot delete entries; the function does, and moves the stub.
    op.execute("create policy owner_moves on audit_stubs to tessera_owner using (true)")
    op.execute("create policy owner_deletes on audit_values for delete to tessera_owner using (true)")
    functions.install("list_retention_settings", 1)
    functions.install("drop_audit_entries", 1)
    functions.install("delete_idempotency_keys", 2)


def downgrade() -> None:
    op.execute("drop index redemptions_closed_index")
    op.execute("drop index reservations_ended_index")
    op.execute("alter table reservations drop column anonymised_at")
    op.execute("drop function delete_idempotency_keys(timestamptz, integer)")
    op.execute("drop function drop_audit_entries(bigint, timestamptz)")
    op.execute("drop function list_retention_settings()")
    op.execute("drop policy owner_deletes on audit_values")
    op.execute("drop table audit_stubs")
    op.execute("drop table retention_settings")
