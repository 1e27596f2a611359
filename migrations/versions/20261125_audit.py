"""The audit log with its chain of seals, and versions of all managed objects."""

from alembic import op

from migrations import functions, tenancy

revision = "0007"
down_revision = "0006"

MANAGED = (
    "organizations",
    "users",
    "api_clients",
    "api_keys",
    "issued_tokens",
    "store_exams",
    "product_bundles",
    "promo_codes",
    "voucher_partners",
    "voucher_programs",
    "voucher_purchases",
    "vouchers",
)
SOLD = ("store_exams", "product_bundles")

TABLES = """
create table audit_entries (
    organization_id uuid not null constraint audit_entries_organization_id_fk references organizations (id),
    id uuid not null,
    at timestamptz not null,
    actor_kind text not null,
    actor_id uuid,
    actor_name text not null,
    action text not null,
    entity_kind text not null,
    entity_id uuid not null,
    before jsonb,
    after jsonb,
    constraint audit_entries_pk primary key (organization_id, id)
);
create index audit_entries_by_time_index on audit_entries (organization_id, at, id);
create index audit_entries_by_actor_index on audit_entries (organization_id, actor_name, at, id);
create index audit_entries_by_action_index on audit_entries (organization_id, action, at, id);
create index audit_entries_by_kind_index on audit_entries (organization_id, entity_kind, at, id);
create index audit_entries_by_entity_index on audit_entries (organization_id, entity_id, at, id);

create table audit_unsealed (
    organization_id uuid not null,
    entry_id uuid not null,
    constraint audit_unsealed_pk primary key (organization_id, entry_id),
    constraint audit_unsealed_organization_id_entry_id_fk
        foreign key (organization_id, entry_id) references audit_entries (organization_id, id)
);

create table audit_seals (
    organization_id uuid not null,
    position bigint not null constraint audit_seals_position_check check (position >= 1),
    entry_id uuid not null,
    digest bytea not null,
    sealed_at timestamptz not null,
    constraint audit_seals_pk primary key (organization_id, position),
    constraint audit_seals_organization_id_entry_id_key unique (organization_id, entry_id),
    constraint audit_seals_organization_id_entry_id_fk
        foreign key (organization_id, entry_id) references audit_entries (organization_id, id)
);
"""

# Actions of a partner's users are recorded too, but partners cannot read the log.
NEW_TABLES = {
    "audit_entries": "select, insert",
    "audit_unsealed": "select, insert, delete",
    "audit_seals": "select, insert",
}


def upgrade() -> None:
    for table in MANAGED:
        op.execute(f"alter table {table} add column version integer not null default 1")
        op.execute(f"alter table {table} alter column version drop default")
    for table in SOLD:
        op.execute(f"alter table {table} add column status text not null default 'Active'")
        op.execute(f"alter table {table} alter column status drop default")
        op.execute(f"alter table {table} add constraint {table}_status_check check (status in ('Active', 'Archived'))")
        op.execute(f"create index {table}_organization_id_status_id_index on {table} (organization_id, status, id)")
    op.execute("alter table api_keys add column last_used_at timestamptz")
    op.execute("create index users_organization_id_is_active_id_index on users (organization_id, is_active, id)")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    for table, grants in NEW_TABLES.items():
        tenancy.lock(table, grants=grants)
        tenancy.close_reading_to_partners(table)
        # No statistics on the tenant. With them, the planner assumes that a tenant missing from the statistics has no
        # rows, and then finds a single entry through any index that starts with the tenant, reading all entries.
        op.execute(f"alter table {table} alter column organization_id set statistics 0")
    functions.install("list_unsealed_organizations", 1)


def downgrade() -> None:
    op.execute("drop function list_unsealed_organizations()")
    op.execute("drop table audit_seals, audit_unsealed, audit_entries")
    op.execute("drop index users_organization_id_is_active_id_index")
    op.execute("alter table api_keys drop column last_used_at")
    for table in SOLD:
        op.execute(f"alter table {table} drop column status")
    for table in MANAGED:
        op.execute(f"alter table {table} drop column version")
