"""Values that name a person stand beside the entries of the audit log, and seals have a rule."""

from alembic import op

from migrations import tenancy

revision = "0035"
down_revision = "0034"
compatible_since = "0014"

VALUES = """
create table audit_values (
    organization_id uuid not null,
    entry_id uuid not null,
    path text not null,
    value text not null,
    salt bytea not null constraint audit_values_salt_check check (length(salt) >= 16),
    constraint audit_values_pk primary key (organization_id, entry_id, path),
    constraint audit_values_organization_id_entry_id_fk
        foreign key (organization_id, entry_id) references audit_entries (organization_id, id)
)
"""


def upgrade() -> None:
    op.execute("alter table audit_entries add column digests jsonb, add column actor_salt bytea")
    op.execute("alter table audit_seals add column rule bigint")
    op.execute(VALUES)
    tenancy.lock("audit_values", grants="select, insert, delete")
    tenancy.close_reading_to_partners("audit_values")


def downgrade() -> None:
    op.execute("drop table audit_values")
    op.execute("alter table audit_seals drop column rule")
    op.execute("alter table audit_entries drop column digests, drop column actor_salt")
