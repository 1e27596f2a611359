"""The right of users of voucher partners to hand out the vouchers of their partner."""

from alembic import op

from migrations import steps

revision = "0030"
down_revision = "0029"
compatible_since = "0014"

CHECK = """
-- squawk-ignore ban-drop-constraint
alter table users drop constraint if exists users_partner_rights_check,
    add constraint users_partner_rights_check check (
        not (partner_id is not null and not function_points <@ array[{rights}])
    ) not valid
"""
VALIDATE = "alter table users validate constraint users_partner_rights_check"
REMOVE = "update users set function_points = array_remove(function_points, 'PartnerAssignVouchers')"


def upgrade() -> None:
    op.execute(CHECK.format(rights="'PartnerManageVouchers', 'PartnerAssignVouchers'"))
    steps.commit()
    op.execute(VALIDATE)


def downgrade() -> None:
    # Forced row-level security lets the owner only read, so it is lifted within the transaction.
    op.execute("alter table users no force row level security")
    op.execute(REMOVE)
    op.execute("alter table users force row level security")
    op.execute(CHECK.format(rights="'PartnerManageVouchers'"))
    op.execute(VALIDATE)
