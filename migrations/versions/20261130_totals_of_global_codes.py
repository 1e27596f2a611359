"""Totals of global codes, which the report by campaign subtracts from those of own codes with the same names."""

from alembic import op

from migrations import functions, steps

revision = "0044"
down_revision = "0043"
compatible_since = "0014"

TABLES = ("redemption_totals", "dropped_totals")
DIMENSIONS = "'day', 'code', 'storeExam', 'partner'"
GLOBAL_CODE = "'globalCode'"
# Workers of the last release no longer get organizations to roll up. A pass that had its organizations before may still
# roll up a day without these totals; `tessera report rebuild` adds them.
FILL = """
insert into redemption_totals (organization_id, dimension, key, day, redeemed, cancelled, discount)
select l.organization_id, 'globalCode', l.code, (l.at at time zone 'UTC')::date,
       count(*) filter (where l.redeemed_change > 0), count(*) filter (where l.redeemed_change < 0),
       sum(l.redeemed_change * l.discount)
from redemption_ledger l join report_marks m on m.organization_id = l.organization_id
where l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000' and l.organization_id <> l.promo_code_owner_id
  and l.redeemed_change <> 0 and l.at < m.rolled_until::timestamp at time zone 'UTC'
group by 1, 3, 4
on conflict do nothing returning 1
"""
REMOVE = "delete from {table} where dimension = 'globalCode'"


def upgrade() -> None:
    functions.install("list_organizations_to_roll_up", 1)
    functions.install("list_unrolled_organizations", 2)
    for table in TABLES:
        _allow(table, f"{DIMENSIONS}, {GLOBAL_CODE}")
    functions.install("drop_redemptions", 2)
    _execute("redemption_totals", FILL)


def downgrade() -> None:
    functions.install("drop_redemptions", 1)
    functions.install("list_unrolled_organizations", 1)
    op.execute("drop function list_organizations_to_roll_up(date)")
    for table in TABLES:
        _execute(table, REMOVE.format(table=table))
        _allow(table, DIMENSIONS)


def _allow(table: str, dimensions: str) -> None:
    """Replace the dimensions that a table may have."""
    constraint = f"{table}_dimension_check"
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        f"alter table {table} drop constraint {constraint},"
        f" add constraint {constraint} check (dimension in ({dimensions})) not valid"
    )
    steps.commit()
    op.execute(f"alter table {table} validate constraint {constraint}")
    steps.commit()


def _execute(table: str, statement: str) -> None:
    # Row-level security lets the owner only read, so a policy allows it to write meanwhile.
    op.execute(f"drop policy if exists owner_fills on {table}")
    op.execute(f"create policy owner_fills on {table} to tessera_owner using (true)")
    steps.commit()
    op.execute(statement)
    op.execute(f"drop policy owner_fills on {table}")
    steps.commit()
