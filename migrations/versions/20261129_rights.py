"""Narrower rights: networks of keys, rights and issuers of tokens, the right of support, rights of partners' users.

Existing keys, clients and users that redeem codes keep seeing all redemptions of their organization. Existing tokens
keep the rights that their users have now. Users of voucher partners lose every right but the one on vouchers.
"""

import structlog
from alembic import op
from sqlalchemy import text

from migrations import functions, steps

revision = "0017"
down_revision = "0016"
compatible_since = "0014"

EXCESSIVE = "partner_id is not null and not function_points <@ array['PartnerManageVouchers']"

COLUMNS = {
    "api_keys": ("networks cidr[]", "first_key_id uuid"),
    "api_clients": ("token_generation integer",),
    "issued_tokens": ("function_points text[]", "issuer text"),
    "audit_entries": ("token_id uuid", "token_issuer text"),
    "redemptions": ("made_by uuid",),
}
MAKERS = "redemptions (organization_id, made_by, created_at, id) where made_by is not null"
# The names of rights are kept in order.
SUPPORT = """
update {table} set function_points = array_append(function_points, 'StorefrontSupport')
where 'StorefrontRedeem' = any (function_points) and not 'StorefrontSupport' = any (function_points)
"""
TOKENS = """
update issued_tokens t set function_points = u.function_points
from users u where u.organization_id = t.organization_id and u.id = t.user_id
"""
PARTNER_USERS = f"""
update users set function_points = array(select unnest(function_points) intersect select 'PartnerManageVouchers')
where {EXCESSIVE}
"""
# A process of the previous release cannot give a partner's user more rights either: the request fails. A constraint of
# this name exists only if this revision is applied again.
CHECK = f"""
-- squawk-ignore ban-drop-constraint
alter table users drop constraint if exists users_partner_rights_check,
    add constraint users_partner_rights_check check (not ({EXCESSIVE})) not valid
"""
UPDATES = {
    "api_keys": (SUPPORT.format(table="api_keys"),),
    "api_clients": (SUPPORT.format(table="api_clients"),),
    "users": (PARTNER_USERS, SUPPORT.format(table="users"), CHECK),
    "issued_tokens": (TOKENS,),
}


def upgrade() -> None:
    # Each table is altered in a transaction of its own: one that holds a lock and waits for another causes deadlocks.
    for table, columns in COLUMNS.items():
        added = ", ".join(f"add column if not exists {column}" for column in columns)
        op.execute(f"alter table {table} {added}")
        steps.commit()
    steps.create_index("redemptions_by_maker_index", MAKERS)
    # Processes of the previous release keep calling the functions that these replace, until the next release drops them.
    functions.install("find_callers", 2)
    functions.install("validate_promo_codes", 1)
    _report_excessive_rights()
    for table, statements in UPDATES.items():
        # Forced row-level security lets the owner only read, so it is lifted within the transaction.
        op.execute(f"alter table {table} no force row level security")
        for statement in statements:
            op.execute(statement)
        op.execute(f"alter table {table} force row level security")
        steps.commit()
    op.execute("alter table users validate constraint users_partner_rights_check")


def _report_excessive_rights() -> None:
    for user in op.get_bind().execute(
        text(f"select organization_id, id, function_points from users where {EXCESSIVE}")
    ):
        structlog.get_logger(__name__).warning(
            "a user of a voucher partner keeps only the right PartnerManageVouchers",
            organization_id=str(user.organization_id),
            user_id=str(user.id),
            rights=user.function_points,
        )


def downgrade() -> None:
    op.execute("drop function find_callers(text[], uuid[], uuid[], inet[])")
    op.execute("drop function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz)")
    op.execute("alter table users drop constraint users_partner_rights_check")
    op.execute("drop index redemptions_by_maker_index")
    op.execute("alter table redemptions drop column made_by")
    op.execute("alter table audit_entries drop column token_id, drop column token_issuer")
    op.execute("alter table issued_tokens drop column function_points, drop column issuer")
    op.execute("alter table api_clients drop column token_generation")
    op.execute("alter table api_keys drop column networks, drop column first_key_id")
