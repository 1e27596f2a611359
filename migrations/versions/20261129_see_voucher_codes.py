"""The right to see whole voucher codes, for everybody who could see them."""

from alembic import op

from migrations import steps

revision = "0036"
down_revision = "0035"
compatible_since = "0014"

# The names of rights are kept in order. Each statement locks so few rows that authentication does not wait for them.
GRANT = """
update {table} set function_points = array(
    select name from unnest(array_append(function_points, 'SeeVoucherCodes')) as name order by name collate "C"
)
where (organization_id, id) in (
    select organization_id, id from {table}
    where 'ManageOrganization' = any (function_points) and not 'SeeVoucherCodes' = any (function_points) limit 1000
)
returning 1
"""
REVOKE = """
update {table} set function_points = array_remove(function_points, 'SeeVoucherCodes')
where (organization_id, id) in (
    select organization_id, id from {table} where 'SeeVoucherCodes' = any (function_points) limit 1000
)
returning 1
"""
# Keys are not valid in the management API. A token has the rights of its issuer at most, and must get this one too.
TABLES = ("users", "api_clients", "issued_tokens")


def upgrade() -> None:
    for table in TABLES:
        _execute(table, GRANT)


def downgrade() -> None:
    for table in TABLES:
        _execute(table, REVOKE)


def _execute(table: str, statement: str) -> None:
    # Row-level security lets the owner only read, so a policy allows it to write until all rows are changed.
    op.execute(f"drop policy if exists owner_grants on {table}")
    op.execute(f"create policy owner_grants on {table} to tessera_owner using (true)")
    steps.commit()
    while op.get_bind().exec_driver_sql(statement.format(table=table)).fetchall():
        steps.commit()
    op.execute(f"drop policy owner_grants on {table}")
    steps.commit()
