"""Totals for reports: redemptions by day, and vouchers by day of expiry."""

from alembic import op

from migrations import functions, tenancy

revision = "0010"
down_revision = "0009"

# Both indexes include the summed columns, so that each of them suffices for a query. There is no foreign key to the
# organization, because each new row would cost a look-up and organizations are never deleted.
TABLES = """
create table redemption_totals (
    organization_id uuid not null,
    dimension text not null
        constraint redemption_totals_dimension_check check (dimension in ('day', 'code', 'storeExam', 'partner')),
    key text not null,
    day date not null,
    redeemed integer not null,
    cancelled integer not null,
    discount numeric(14, 2) not null,
    constraint redemption_totals_pk primary key (organization_id, dimension, key, day)
        include (redeemed, cancelled, discount),
    constraint redemption_totals_counts_check check (redeemed >= 0 and cancelled >= 0)
);
create index redemption_totals_by_day_index on redemption_totals (organization_id, dimension, day, key)
    include (redeemed, cancelled, discount);

create table report_marks (
    organization_id uuid not null,
    rolled_until date not null,
    constraint report_marks_pk primary key (organization_id)
);

create table voucher_totals (
    organization_id uuid not null,
    partner_id uuid not null,
    expires_on date not null,
    quantity integer not null,
    used integer not null,
    archived integer not null,
    constraint voucher_totals_pk primary key (organization_id, partner_id, expires_on),
    constraint voucher_totals_organization_id_partner_id_fk
        foreign key (organization_id, partner_id) references voucher_partners (organization_id, id),
    constraint voucher_totals_counts_check check (used >= 0 and archived >= 0 and used + archived <= quantity)
);
insert into voucher_totals (organization_id, partner_id, expires_on, quantity, used, archived)
select organization_id, partner_id, (expires_at at time zone 'UTC')::date, count(*), count(*) filter (where is_used),
       count(*) filter (where is_archived and not is_used)
from vouchers group by organization_id, partner_id, (expires_at at time zone 'UTC')::date
"""

GRANTS = {
    "redemption_totals": "select, insert",
    "report_marks": "select, insert, update",
    "voucher_totals": "select, insert, update",
}


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table, grants in GRANTS.items():
        tenancy.lock(table, grants=grants)
        tenancy.close_to_partners(table)
    functions.install("list_unrolled_organizations", 1)


def downgrade() -> None:
    op.execute("drop function list_unrolled_organizations(date)")
    op.execute("drop table voucher_totals, report_marks, redemption_totals")
