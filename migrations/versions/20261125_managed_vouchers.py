"""Management of voucher sales: checkouts with a deadline, archived vouchers, invitations of partners' users."""

from alembic import op

from migrations import functions

revision = "0009"
down_revision = "0008"

# Forced row-level security lets the owner only read, so it is lifted within this transaction.
COLUMNS = """
alter table voucher_purchases add column amount numeric(14, 2);
alter table voucher_purchases no force row level security;
update voucher_purchases set amount = amount_paid;
alter table voucher_purchases force row level security;
alter table voucher_purchases alter column amount set not null;
alter table voucher_purchases add constraint voucher_purchases_amount_check check (amount >= 0);
alter table voucher_purchases add column checkout_expires_at timestamptz;
alter table vouchers add column is_archived boolean not null default false;
alter table vouchers alter column is_archived drop default;
alter table users add column invitation text
    constraint users_invitation_check check (invitation in ('Invited', 'Accepted'));
create index voucher_programs_organization_id_status_id_index on voucher_programs (organization_id, status, id);
create index voucher_purchases_by_deadline_index on voucher_purchases (organization_id, checkout_expires_at, id)
    where status = 'CheckoutInProgress';
create index vouchers_archived_index on vouchers (organization_id, id) where is_archived
"""


def upgrade() -> None:
    for statement in COLUMNS.split(";\n"):
        op.execute(statement)
    functions.install("list_overdue_checkouts", 1)


def downgrade() -> None:
    op.execute("drop function list_overdue_checkouts(timestamptz)")
    op.execute("drop index voucher_programs_organization_id_status_id_index")
    op.execute("alter table users drop column invitation")
    op.execute("alter table vouchers drop column is_archived")
    op.execute("alter table voucher_purchases drop column checkout_expires_at, drop column amount")
