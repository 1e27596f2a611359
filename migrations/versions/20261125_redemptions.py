"""Reservations, redemptions and their ledger; holds count against every limit."""

from alembic import op

from migrations import functions, tenancy

revision = "0006"
down_revision = "0005"

TABLES = """
alter table promo_codes add column held_count integer not null default 0;
alter table promo_codes alter column held_count drop default;
alter table promo_codes drop constraint promo_codes_uses_check;
alter table promo_codes add constraint promo_codes_uses_check check (
    redemption_count >= 0 and held_count >= 0
    and redemption_count + held_count <= coalesce(max_redemptions, redemption_count + held_count)
);

alter table vouchers add column held_by uuid;
alter table vouchers add column held_until timestamptz;
alter table vouchers add constraint vouchers_held_check
    check ((held_by is null) = (held_until is null) and (held_by is null or used_at is null));

create table reservations (
    organization_id uuid not null,
    id uuid not null,
    code text not null,
    status text not null constraint reservations_status_check
        check (status in ('Created', 'Rescheduled', 'Completed', 'NoShow', 'Cancelled')),
    rescheduled_from text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint reservations_pk primary key (organization_id, id),
    constraint reservations_organization_id_code_key unique (organization_id, code)
);

create table redemptions (
    organization_id uuid not null,
    id uuid not null,
    reservation_id uuid not null,
    code text not null,
    code_key text not null generated always as (lower(code collate "C")) stored,
    promo_code_owner_id uuid,
    promo_code_id uuid,
    voucher_id uuid,
    purchase_id uuid,
    partner_id uuid,
    store_exam_id uuid,
    product_bundle_id uuid,
    person_id text not null,
    client_candidate_id text not null,
    first_name text not null,
    last_name text not null,
    email text,
    list_price numeric(12, 2) not null,
    discount numeric(12, 2) not null,
    status text not null constraint redemptions_status_check
        check (status in ('Held', 'Redeemed', 'Released', 'Expired', 'Cancelled')),
    held_until timestamptz,
    changes integer not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint redemptions_pk primary key (organization_id, id),
    constraint redemptions_organization_id_reservation_id_fk
        foreign key (organization_id, reservation_id) references reservations (organization_id, id),
    constraint redemptions_organization_id_voucher_id_fk
        foreign key (organization_id, voucher_id) references vouchers (organization_id, id),
    constraint redemptions_code_check check (
        num_nonnulls(promo_code_id, voucher_id) = 1 and (promo_code_id is null) = (promo_code_owner_id is null)
        and num_nonnulls(voucher_id, purchase_id, partner_id) in (0, 3)
    ),
    constraint redemptions_product_check check (num_nonnulls(store_exam_id, product_bundle_id) = 1),
    constraint redemptions_price_check check (list_price >= discount and discount >= 0),
    constraint redemptions_held_check check (status <> 'Held' or held_until is not null)
);
create unique index redemptions_live_index on redemptions (organization_id, reservation_id, code_key)
    where status in ('Held', 'Redeemed');
create index redemptions_by_reservation_index on redemptions (organization_id, reservation_id, created_at, id);
create index redemptions_by_time_index on redemptions (organization_id, created_at, id);
create index redemptions_by_code_index on redemptions (organization_id, code_key, created_at, id);
create index redemptions_by_person_index on redemptions (organization_id, person_id, created_at, id);
create index redemptions_by_status_index on redemptions (organization_id, status, created_at, id);
create index redemptions_by_voucher_index on redemptions (organization_id, voucher_id) where voucher_id is not null;
create index redemptions_of_candidates_index on redemptions (organization_id, promo_code_id, person_id)
    where promo_code_id is not null and status in ('Held', 'Redeemed');
create index redemptions_held_index on redemptions (promo_code_id, held_until)
    where promo_code_id is not null and status = 'Held';
create index redemptions_lapsing_index on redemptions (held_until) where status = 'Held';

create table redemption_ledger (
    organization_id uuid not null,
    redemption_id uuid not null,
    number integer not null,
    status text not null,
    redeemed_change integer not null,
    held_change integer not null,
    promo_code_owner_id uuid,
    promo_code_id uuid,
    voucher_id uuid,
    purchase_id uuid,
    partner_id uuid,
    code text not null,
    store_exam_id uuid,
    product_bundle_id uuid,
    discount numeric(12, 2) not null,
    caller_id uuid,
    at timestamptz not null,
    constraint redemption_ledger_pk primary key (organization_id, redemption_id, number),
    constraint redemption_ledger_organization_id_redemption_id_fk
        foreign key (organization_id, redemption_id) references redemptions (organization_id, id),
    constraint redemption_ledger_changes_check
        check (redeemed_change between -1 and 1 and held_change between -1 and 1)
);
create index redemption_ledger_of_global_codes_index on redemption_ledger (promo_code_id)
    where promo_code_owner_id = '00000000-0000-0000-0000-000000000000';
create index redemption_ledger_by_time_index on redemption_ledger (organization_id, at) where redeemed_change <> 0;
"""

# Vouchers that were used before the ledger existed get a redemption and a reservation, both with the id of the voucher.
CARRY_OVER = (
    """
insert into reservations (organization_id, id, code, status, created_at, updated_at)
select distinct on (organization_id, reservation_code)
       organization_id, id, reservation_code, reservation_status, coalesce(used_at, assigned_at, expires_at),
       coalesce(used_at, assigned_at, expires_at)
from vouchers where reservation_code is not null
order by organization_id, reservation_code, id
""",
    """
insert into redemptions (
    organization_id, id, reservation_id, code, voucher_id, purchase_id, partner_id, store_exam_id, person_id,
    client_candidate_id, first_name, last_name, list_price, discount, status, changes, created_at, updated_at
)
select v.organization_id, v.id, r.id, v.code, v.id, v.purchase_id, v.partner_id, v.store_exam_id, v.used_by_person_id,
       v.used_by_client_candidate_id, v.used_by_first_name, v.used_by_last_name, e.price, e.price, 'Redeemed', 1,
       v.used_at, v.used_at
from vouchers v
join reservations r on r.organization_id = v.organization_id and r.code = v.reservation_code
join store_exams e on e.organization_id = v.organization_id and e.id = v.store_exam_id
where v.used_at is not null
""",
    """
insert into redemption_ledger (
    organization_id, redemption_id, number, status, redeemed_change, held_change, voucher_id, purchase_id, partner_id,
    code, store_exam_id, discount, at
)
select organization_id, id, 1, 'Redeemed', 1, 0, voucher_id, purchase_id, partner_id, code, store_exam_id, discount,
       created_at
from redemptions
""",
)

# The version that this revision installs, and the parameters that `drop function` needs.
FUNCTIONS = {
    "find_promo_codes_for_storefront": (2, "text[], uuid[], uuid[], text[], text[], timestamptz"),
    "find_promo_code_usability": (2, "uuid[], uuid[], text[], uuid[], bytea[], timestamptz"),
    "lock_promo_codes": (1, "text[], uuid[], timestamptz"),
    "count_promo_code_uses": (1, "uuid[], integer[], integer[]"),
    "list_lapsed_holds": (1, "timestamptz"),
    "sum_ledger_of_global_codes": (1, ""),
}
# Versions with other parameters, which installing a new version does not replace.
SUPERSEDED = (
    "find_promo_codes_for_storefront(text[], uuid, uuid, text)",
    "find_promo_code_usability(uuid[], uuid[], text[], uuid[], bytea[])",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    # Before tenancy.lock, because row-level security then applies to the owner too.
    for statement in CARRY_OVER:
        op.execute(statement)
    for table in ("reservations", "redemptions"):
        tenancy.lock(table, grants="select, insert, update")
        tenancy.close_to_partners(table)
    tenancy.lock("redemption_ledger", grants="select, insert")
    tenancy.close_to_partners("redemption_ledger")
    # The functions below also change rows of other organizations: counts of global codes, and holds on them.
    op.execute("create policy owner_counts on promo_codes for update to tessera_owner using (true)")
    op.execute("create policy owner_expires on redemptions for update to tessera_owner using (true)")
    op.execute("create policy owner_appends on redemption_ledger for insert to tessera_owner with check (true)")
    for signature in SUPERSEDED:
        op.execute(f"drop function {signature}")
    for name, (version, _) in FUNCTIONS.items():
        functions.install(name, version)


def downgrade() -> None:
    for name, (_, parameters) in FUNCTIONS.items():
        op.execute(f"drop function {name}({parameters})")
    functions.install("find_promo_codes_for_storefront", 1)
    functions.install("find_promo_code_usability", 1)
    op.execute("drop policy owner_counts on promo_codes")
    op.execute("drop table redemption_ledger, redemptions, reservations")
    op.execute("alter table vouchers drop column held_by, drop column held_until")
    op.execute("alter table promo_codes drop constraint promo_codes_uses_check, drop column held_count")
    op.execute(
        "alter table promo_codes add constraint promo_codes_uses_check"
        " check (redemption_count between 0 and coalesce(max_redemptions, redemption_count))"
    )
