-- Recounts the uses of the caller's codes, of all organizations for global codes. Until the end of the transaction nobody
-- else uses the codes. The lapsed holds of codes without a limit, which have no count to correct, are marked Expired.
create or replace function recount_promo_codes(code_ids uuid[], as_of timestamptz)
returns table (promo_code_id uuid, redeemed integer, held integer)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
begin
    perform pg_advisory_xact_lock(hashtextextended(id::text, 0))
    from (
        select p.id from promo_codes p where p.organization_id = own and p.id = any (code_ids) order by p.id
    ) codes;
    with lapsed as (
        update redemptions r set status = 'Expired', changes = r.changes + 1, updated_at = as_of
        from promo_codes p
        where p.organization_id = own and p.id = any (code_ids) and p.max_redemptions is null
          and r.promo_code_id = p.id and r.promo_code_owner_id = own and r.status = 'Held' and r.held_until <= as_of
        returning r.organization_id, r.id, r.changes, r.code, r.store_exam_id, r.product_bundle_id, r.discount,
                  r.promo_code_id
    )
    insert into redemption_ledger (
        organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id,
        promo_code_id, code, store_exam_id, product_bundle_id, discount, at
    )
    select l.organization_id, l.id, l.changes, 'Expired', 0, -1, own, l.promo_code_id, l.code, l.store_exam_id,
           l.product_bundle_id, l.discount, as_of
    from lapsed l;
    return query
    select p.id, sum(counted.redeemed)::integer, sum(counted.held)::integer
    from promo_codes p cross join lateral (
        select coalesce(sum(l.redeemed_change), 0) as redeemed, coalesce(sum(l.held_change), 0) as held
        from redemption_ledger l
        where own = platform and l.promo_code_id = p.id
          and l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
        union all
        select count(*) filter (where r.status = 'Redeemed'), count(*) filter (where r.status = 'Held')
        from redemptions r
        where own <> platform and r.organization_id = own and r.promo_code_id = p.id
          and r.status in ('Held', 'Redeemed')
    ) counted
    where p.organization_id = own and p.id = any (code_ids)
    group by p.id;
end
$$;
revoke all on function recount_promo_codes(uuid[], timestamptz) from public;
grant execute on function recount_promo_codes(uuid[], timestamptz) to tessera_app;
