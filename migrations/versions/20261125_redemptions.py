"""Reservations, redemptions and their ledger; holds count against every limit."""

from importlib import import_module

from alembic import op

from migrations import tenancy

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

# Vouchers that were used before there was a ledger get the redemption that they must have had; the id of the voucher,
# made before, serves as the id of both.
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

# Which promo code a name means: the organization's own one before a global one.
NAMED = """
    select candidates.* from promo_codes candidates
    where candidates.organization_id in (own, platform) and candidates.name_key = question.code_key
    order by candidates.organization_id = own desc
    limit 1
"""
PINNED = """
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
"""
DEFINER = "security definer set search_path = pg_catalog, public, pg_temp"
HELD = "r.promo_code_id = p.id and r.promo_code_owner_id = p.organization_id and r.status = 'Held'"

FIND_PROMO_CODES = f"""
create function find_promo_codes_for_storefront(
    code_keys text[], exam_ids uuid[], bundle_ids uuid[], email_keys text[], person_ids text[], as_of timestamptz
) returns table (
    asked integer, owner_id uuid, promo_code_id uuid, name text, status text, expires_at timestamptz,
    max_redemptions integer, max_redemptions_per_candidate integer, redemption_count integer, held_count integer,
    next_hold_ends_at timestamptz, candidate_uses integer, candidate_hold_ends_at timestamptz,
    discount_percent integer, flat_discount numeric, covers_product boolean, restrict_to_email_addresses boolean,
    lists_candidate boolean
)
language plpgsql stable {DEFINER}
as $$
declare {PINNED}
begin
    return query
    select question.n::integer, p.organization_id, p.id, p.name, p.status, p.expires_at, p.max_redemptions,
           p.max_redemptions_per_candidate, p.redemption_count, p.held_count - coalesce(lapsed.count, 0)::integer,
           held.until, of_candidate.uses::integer, of_candidate.until, p.discount_percent, p.flat_discount,
           not (p.has_store_exams or p.has_product_bundles)
           or question.bundle_id is not null and p.has_product_bundles and exists (
               select from promo_code_product_bundles b
               where b.organization_id = p.organization_id and b.promo_code_id = p.id
                 and b.product_bundle_id = question.bundle_id
           )
           or p.has_store_exams and exists (
               select from store_exams sold
               join store_exams named
                 on named.organization_id = p.organization_id and named.code_key = sold.code_key
               join promo_code_store_exams e
                 on e.organization_id = p.organization_id and e.promo_code_id = p.id and e.store_exam_id = named.id
               where sold.organization_id = own
                 and (sold.id = question.exam_id or sold.id in (
                     select contained.store_exam_id from product_bundle_store_exams contained
                     where contained.organization_id = own and contained.product_bundle_id = question.bundle_id
                 ))
           ),
           p.restrict_to_email_addresses,
           p.restrict_to_email_addresses and question.email_key is not null and exists (
               select from promo_code_email_addresses a
               where a.organization_id = p.organization_id and a.promo_code_id = p.id and a.email_key = question.email_key
           )
    from unnest(code_keys, exam_ids, bundle_ids, email_keys, person_ids) with ordinality
         as question (code_key, exam_id, bundle_id, email_key, person_id, n)
    join lateral ({NAMED}) p on true
    left join lateral (
        select count(*) from redemptions r where {HELD} and r.held_until <= as_of
    ) lapsed on p.held_count > 0
    left join lateral (
        select min(r.held_until) as until from redemptions r where {HELD} and r.held_until > as_of
    ) held on p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions
    left join lateral (
        select count(*) as uses, min(r.held_until) filter (where r.status = 'Held') as until
        from redemptions r
        where r.organization_id = own and r.promo_code_id = p.id and r.person_id = question.person_id
          and r.status in ('Held', 'Redeemed') and (r.status = 'Redeemed' or r.held_until > as_of)
    ) of_candidate on p.max_redemptions_per_candidate is not null and question.person_id is not null;
end
$$
"""

# As before, with holds: they are counted one by one only where the code seems to be used up.
FIND_USABILITY = f"""
create function find_promo_code_usability(
    organization_ids uuid[], key_ids uuid[], code_keys text[], bundle_ids uuid[], key_digests bytea[], as_of timestamptz
) returns table (
    asked integer, key_digest bytea, key_expires_at timestamptz, key_revoked_at timestamptz,
    organization_is_active boolean, promo_code_id uuid, status text, expires_at timestamptz, max_redemptions integer,
    redemption_count integer, held_count integer, discount_percent integer, flat_discount numeric, covers_bundle boolean
)
language plpgsql stable {DEFINER}
as $$
begin
    return query
    select question.n::integer, k.key_digest, k.expires_at, k.revoked_at, o.is_active, p.id, p.status, p.expires_at,
           p.max_redemptions, p.redemption_count,
           case when p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions then
               p.held_count - (select count(*) from redemptions r where {HELD} and r.held_until <= as_of)::integer
           else p.held_count end,
           p.discount_percent, p.flat_discount,
           question.bundle_id is null
           or not (p.has_store_exams or p.has_product_bundles)
           or p.has_product_bundles and exists (
               select from promo_code_product_bundles b
               where b.organization_id = p.organization_id and b.promo_code_id = p.id
                 and b.product_bundle_id = question.bundle_id
           )
           or p.has_store_exams and exists (
               select from product_bundle_store_exams contained
               join store_exams sold
                 on sold.organization_id = contained.organization_id and sold.id = contained.store_exam_id
               join store_exams named
                 on named.organization_id = p.organization_id and named.code_key = sold.code_key
               join promo_code_store_exams e
                 on e.organization_id = p.organization_id and e.promo_code_id = p.id and e.store_exam_id = named.id
               where contained.organization_id = question.organization_id
                 and contained.product_bundle_id = question.bundle_id
           )
    from unnest(organization_ids, key_ids, code_keys, bundle_ids, key_digests) with ordinality
         as question (organization_id, key_id, code_key, bundle_id, digest, n)
    join api_keys k
      on k.organization_id = question.organization_id and k.id = question.key_id and k.key_digest = question.digest
    join organizations o on o.id = question.organization_id
    left join lateral (
        select candidates.* from promo_codes candidates
        where candidates.organization_id
              in (question.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
          and candidates.name_key = question.code_key
        order by candidates.organization_id = question.organization_id desc
        limit 1
    ) p on true;
end
$$
"""

# Locks the limited ones among these codes until the end of the transaction, always in the same order, and gives back
# the uses of their holds that have run out, also those of other organizations on a global code. That is written down,
# because a use that is taken in their place must not be theirs any more for a confirmation that has waited meanwhile.
LOCK_PROMO_CODES = f"""
create function lock_promo_codes(code_keys text[], code_ids uuid[], as_of timestamptz) returns uuid[]
language plpgsql volatile {DEFINER}
as $$
declare {PINNED}
    wanted constant uuid[] := code_ids || array(
        select p.id from unnest(code_keys) as question (code_key) join lateral ({NAMED}) p on true
    );
    code record;
begin
    perform from promo_codes p
    where p.organization_id in (own, platform) and p.id = any (wanted)
      and (p.max_redemptions is not null or p.max_redemptions_per_candidate is not null)
    order by p.organization_id, p.id
    for no key update;
    -- A statement of its own, which sees what others have committed while this one waited.
    for code in
        select p.organization_id, p.id from promo_codes p
        where p.organization_id in (own, platform) and p.id = any (wanted)
          and (p.held_count > 0 or p.max_redemptions is null and p.max_redemptions_per_candidate is not null)
    loop
        with lapsed as (
            update redemptions r set status = 'Expired', changes = r.changes + 1, updated_at = as_of
            where r.promo_code_id = code.id and r.promo_code_owner_id = code.organization_id
              and r.status = 'Held' and r.held_until <= as_of
            returning r.organization_id, r.id, r.changes, r.code, r.store_exam_id, r.product_bundle_id, r.discount
        ), noted as (
            insert into redemption_ledger (
                organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id,
                promo_code_id, code, store_exam_id, product_bundle_id, discount, at
            )
            select l.organization_id, l.id, l.changes, 'Expired', 0, -1, code.organization_id, code.id, l.code,
                   l.store_exam_id, l.product_bundle_id, l.discount, as_of
            from lapsed l
        )
        update promo_codes p set held_count = p.held_count - given.back
        from (select count(*)::integer as back from lapsed) given
        where p.organization_id = code.organization_id and p.id = code.id and given.back > 0
          and p.max_redemptions is not null;
    end loop;
    return wanted;
end
$$
"""

COUNT_USES = f"""
create function count_promo_code_uses(code_ids uuid[], redeemed integer[], held integer[]) returns void
language plpgsql volatile {DEFINER}
as $$
declare {PINNED}
begin
    update promo_codes p
    set redemption_count = p.redemption_count + used.redeemed, held_count = p.held_count + used.held
    from unnest(code_ids, redeemed, held) as used (id, redeemed, held)
    where p.organization_id in (own, platform) and p.id = used.id and p.max_redemptions is not null;
end
$$
"""

LIST_LAPSED = f"""
create function list_lapsed_holds(as_of timestamptz) returns table (organization_id uuid, redemption_id uuid)
language sql stable {DEFINER}
as $$
    select r.organization_id, r.id from redemptions r
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
      and r.status = 'Held' and r.held_until <= as_of
    order by r.held_until
    limit 200
$$
"""

SUM_GLOBAL = f"""
create function sum_ledger_of_global_codes()
returns table (promo_code_id uuid, redeemed bigint, held bigint)
language sql stable {DEFINER}
as $$
    select l.promo_code_id, sum(l.redeemed_change), sum(l.held_change) from redemption_ledger l
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
      and l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
    group by l.promo_code_id
$$
"""

FUNCTIONS = {
    "find_promo_codes_for_storefront(text[], uuid[], uuid[], text[], text[], timestamptz)": FIND_PROMO_CODES,
    "find_promo_code_usability(uuid[], uuid[], text[], uuid[], bytea[], timestamptz)": FIND_USABILITY,
    "lock_promo_codes(text[], uuid[], timestamptz)": LOCK_PROMO_CODES,
    "count_promo_code_uses(uuid[], integer[], integer[])": COUNT_USES,
    "list_lapsed_holds(timestamptz)": LIST_LAPSED,
    "sum_ledger_of_global_codes()": SUM_GLOBAL,
}
REPLACED = (
    "find_promo_codes_for_storefront(text[], uuid, uuid, text)",
    "find_promo_code_usability(uuid[], uuid[], text[], uuid[], bytea[])",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    # Before the tables are locked: the owner, too, is bound by row-level security then.
    for statement in CARRY_OVER:
        op.execute(statement)
    for table in ("reservations", "redemptions"):
        tenancy.lock(table, grants="select, insert, update")
        tenancy.close_to_partners(table)
    tenancy.lock("redemption_ledger", grants="select, insert")
    tenancy.close_to_partners("redemption_ledger")
    # What the functions below change beyond the pinned organization: counts of global codes, and holds on them.
    op.execute("create policy owner_counts on promo_codes for update to tessera_owner using (true)")
    op.execute("create policy owner_expires on redemptions for update to tessera_owner using (true)")
    op.execute("create policy owner_appends on redemption_ledger for insert to tessera_owner with check (true)")
    for signature in REPLACED:
        op.execute(f"drop function {signature}")
    for signature, function in FUNCTIONS.items():
        op.execute(function)
        op.execute(f"revoke all on function {signature} from public")
        op.execute(f"grant execute on function {signature} to tessera_app")


def downgrade() -> None:
    for signature in FUNCTIONS:
        op.execute(f"drop function {signature}")
    for function, signature in (
        (import_module("migrations.versions.20261121_code_facts").FIND_PROMO_CODES, REPLACED[0]),
        (import_module("migrations.versions.20261121_foundation").FIND_USABILITY, REPLACED[1]),
    ):
        op.execute(function)
        op.execute(f"revoke all on function {signature} from public")
        op.execute(f"grant execute on function {signature} to tessera_app")
    op.execute("drop policy owner_counts on promo_codes")
    op.execute("drop table redemption_ledger, redemptions, reservations")
    op.execute("alter table vouchers drop column held_by, drop column held_until")
    op.execute("alter table promo_codes drop constraint promo_codes_uses_check, drop column held_count")
    op.execute(
        "alter table promo_codes add constraint promo_codes_uses_check"
        " check (redemption_count between 0 and coalesce(max_redemptions, redemption_count))"
    )
