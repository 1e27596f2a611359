"""A limit of global promo codes for each organization, with the counts of what each has used."""

from alembic import op

from migrations import functions, steps, tenancy

revision = "0025"
down_revision = "0024"
compatible_since = "0014"

PLATFORM = "'00000000-0000-0000-0000-000000000000'::uuid"
CHECKS = {
    "promo_codes_max_redemptions_per_organization_check": "max_redemptions_per_organization between 1 and max_redemptions",
    "promo_codes_share_of_platform_check": (
        f"max_redemptions_per_organization is null or organization_id = {PLATFORM}"
    ),
}
SHARES = """
create table promo_code_shares (
    organization_id uuid not null,
    promo_code_id uuid not null,
    used_by uuid not null,
    redemption_count integer not null,
    held_count integer not null,
    constraint promo_code_shares_pk primary key (organization_id, promo_code_id, used_by),
    constraint promo_code_shares_organization_id_promo_code_id_fk
        foreign key (organization_id, promo_code_id) references promo_codes (organization_id, id),
    constraint promo_code_shares_uses_check check (redemption_count >= 0 and held_count >= 0)
)
"""


def upgrade() -> None:
    # Constraints of these names exist only if this revision is applied again.
    dropped = ", ".join(f"drop constraint if exists {name}" for name in CHECKS)
    added = ", ".join(f"add constraint {name} check ({condition}) not valid" for name, condition in CHECKS.items())
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        f"alter table promo_codes add column if not exists max_redemptions_per_organization integer, {dropped}, {added}"
    )
    steps.commit()
    op.execute("alter table promo_code_batches add column if not exists max_redemptions_per_organization integer")
    steps.commit()
    for name in CHECKS:
        # Reads all rows without a lock that blocks writers.
        op.execute(f"alter table promo_codes validate constraint {name}")
        steps.commit()
    op.execute(SHARES)
    tenancy.lock("promo_code_shares", grants="select, insert, delete")
    tenancy.close_to_partners("promo_code_shares")
    op.execute("create policy owner_counts on promo_code_shares to tessera_owner using (true)")
    functions.install("lock_promo_codes", 3)
    functions.install("count_promo_code_uses", 2)
    functions.install("validate_promo_codes", 3)
    functions.install("find_promo_code_shares", 1)
    functions.install("sum_ledger_by_organization", 1)


def downgrade() -> None:
    op.execute("drop function sum_ledger_by_organization(uuid[])")
    op.execute("drop function find_promo_code_shares(uuid[], timestamptz)")
    functions.install("validate_promo_codes", 2)
    functions.install("count_promo_code_uses", 1)
    functions.install("lock_promo_codes", 2)
    op.execute("drop table promo_code_shares")
    op.execute("alter table promo_codes drop column max_redemptions_per_organization")
    op.execute("alter table promo_code_batches drop column max_redemptions_per_organization")
