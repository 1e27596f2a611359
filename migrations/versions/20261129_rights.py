"""Narrower rights: networks of keys, rights and issuers of tokens, the right of support, rights of partners' users.

Existing keys, clients and users that redeem codes keep seeing all redemptions of their organization. Existing tokens
keep the rights that their users have now. Users of voucher partners lose every right but the one on vouchers.
"""

import structlog
from alembic import op
from sqlalchemy import text

from migrations import functions

revision = "0017"
down_revision = "0016"

CALLERS = ("api_keys", "api_clients", "users")
EXCESSIVE = "partner_id is not null and not function_points <@ array['PartnerManageVouchers']"

COLUMNS = """
alter table api_keys add column networks cidr[], add column first_key_id uuid;
alter table api_clients add column token_generation integer;
alter table issued_tokens add column function_points text[], add column issuer text;
alter table audit_entries add column token_id uuid, add column token_issuer text;
alter table redemptions add column made_by uuid;
create index redemptions_by_maker_index on redemptions (organization_id, made_by, created_at, id)
    where made_by is not null
"""
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
CHECK = f"""
alter table users add constraint users_partner_rights_check check (not ({EXCESSIVE}))
"""


def upgrade() -> None:
    for statement in COLUMNS.split(";\n"):
        op.execute(statement)
    # Forced row-level security lets the owner only read, so it is lifted within this transaction.
    for table in (*CALLERS, "issued_tokens"):
        op.execute(f"alter table {table} no force row level security")
    for user in op.get_bind().execute(
        text(f"select organization_id, id, function_points from users where {EXCESSIVE}")
    ):
        structlog.get_logger(__name__).warning(
            "a user of a voucher partner keeps only the right PartnerManageVouchers",
            organization_id=str(user.organization_id),
            user_id=str(user.id),
            rights=user.function_points,
        )
    op.execute(PARTNER_USERS)
    for table in CALLERS:
        op.execute(SUPPORT.format(table=table))
    op.execute(TOKENS)
    for table in (*CALLERS, "issued_tokens"):
        op.execute(f"alter table {table} force row level security")
    op.execute(CHECK)
    op.execute("drop function find_callers(text[], uuid[], uuid[])")
    functions.install("find_callers", 2)
    functions.install("validate_promo_codes", 1)


def downgrade() -> None:
    op.execute("drop function find_callers(text[], uuid[], uuid[], inet[])")
    op.execute("drop function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz)")
    functions.install("find_callers", 1)
    op.execute("alter table users drop constraint users_partner_rights_check")
    op.execute("drop index redemptions_by_maker_index")
    op.execute("alter table redemptions drop column made_by")
    op.execute("alter table audit_entries drop column token_id, drop column token_issuer")
    op.execute("alter table issued_tokens drop column function_points, drop column issuer")
    op.execute("alter table api_clients drop column token_generation")
    op.execute("alter table api_keys drop column networks, drop column first_key_id")
