"""The right to see whole voucher codes, for everybody who could see them."""

from alembic import op

from migrations import steps

revision = "0036"
down_revision = "0035"
compatible_since = "0014"

# The names of rights are kept in order.
GRANT = """
update {table} set function_points = array(
    select name from unnest(array_append(function_points, 'SeeVoucherCodes')) as name order by name collate "C"
)
where 'ManageOrganization' = any (function_points) and not 'SeeVoucherCodes' = any (function_points)
"""
REVOKE = "update {table} set function_points = array_remove(function_points, 'SeeVoucherCodes')"
# Keys are not valid in the management API. A token has the rights of its issuer at most, and must get this one too.
TABLES = ("users", "api_clients", "issued_tokens")


def upgrade() -> None:
    for table in TABLES:
        _execute(table, GRANT)
        steps.commit()


def downgrade() -> None:
    for table in TABLES:
        _execute(table, REVOKE)


def _execute(table: str, statement: str) -> None:
    # Forced row-level security lets the owner only read, so it is lifted within the transaction.
    op.execute(f"alter table {table} no force row level security")
    op.execute(statement.format(table=table))
    op.execute(f"alter table {table} force row level security")
