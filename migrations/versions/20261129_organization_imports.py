"""Imports of organizations that are not complete."""

from alembic import op

from migrations import tenancy

revision = "0037"
down_revision = "0036"
compatible_since = "0014"

TABLE = """
create table organization_imports (
    organization_id uuid not null,
    digest bytea not null,
    rows_done bigint not null,
    started_at timestamptz not null,
    constraint organization_imports_pk primary key (organization_id),
    constraint organization_imports_organization_id_fk foreign key (organization_id) references organizations (id),
    constraint organization_imports_rows_done_check check (rows_done >= 0)
)
"""


def upgrade() -> None:
    op.execute(TABLE)
    tenancy.lock("organization_imports")
    tenancy.close_to_partners("organization_imports")


def downgrade() -> None:
    op.execute("drop table organization_imports")
