"""Persons can be erased."""

from alembic import op

from migrations import functions, tenancy

revision = "0041"
down_revision = "0040"
compatible_since = "0014"

KEYS = """
create table erasure_keys (
    organization_id uuid not null constraint erasure_keys_organization_id_fk references organizations (id),
    key bytea not null constraint erasure_keys_key_check check (length(key) = 32),
    constraint erasure_keys_pk primary key (organization_id)
)
"""
ERASURES = """
create table erasures (
    organization_id uuid not null constraint erasures_organization_id_fk references organizations (id),
    digest bytea not null,
    erased_at timestamptz not null,
    constraint erasures_pk primary key (organization_id, digest)
)
"""
# The columns of the audit log that may name a person; its seals show every other change.
AUDITED = "actor_name, actor_salt, token_issuer, before, after"


def upgrade() -> None:
    for table, definition in (("erasure_keys", KEYS), ("erasures", ERASURES)):
        op.execute(definition)
        tenancy.lock(table, grants="select, insert, delete")
        tenancy.close_to_partners(table)
    op.execute("grant update (erased_at) on erasures to tessera_app")
    op.execute(f"grant update ({AUDITED}) on audit_entries to tessera_app")
    op.execute("grant update on record_metadata to tessera_app")
    functions.install("find_shared_addresses", 1)
    functions.install("look_up_global_promo_code", 2)
    functions.install("look_up_promo_codes", 4)


def downgrade() -> None:
    functions.install("look_up_promo_codes", 3)
    functions.install("look_up_global_promo_code", 1)
    op.execute("drop function find_shared_addresses(text[], text[])")
    op.execute("revoke update on record_metadata from tessera_app")
    op.execute(f"revoke update ({AUDITED}) on audit_entries from tessera_app")
    op.execute("drop table erasures, erasure_keys")
