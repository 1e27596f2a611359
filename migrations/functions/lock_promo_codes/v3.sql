-- Locks those of the codes that have a limit until the end of the transaction, always in the same order, and gives back
-- the uses of their lapsed holds, including holds of other organizations on a global code. The lapsed holds are marked
-- Expired, because a confirmation that waits for this lock must not take a use that another redemption now has.
create or replace function lock_promo_codes(code_keys text[], code_ids uuid[], as_of timestamptz) returns uuid[]
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';

    wanted constant uuid[] := code_ids || array(
        select p.id from unnest(code_keys) as question (code_key) join lateral (
    select candidates.* from promo_codes candidates
    where candidates.organization_id in (own, platform) and candidates.name_key = question.code_key
    order by candidates.organization_id = own desc
    limit 1
) p on true
    );
    code record;
begin
    -- Uses of a code without a limit touch no shared row. Whoever gives it a limit waits here for the uses under way, and
    -- those that wait meanwhile see the limit in the statements below.
    perform pg_advisory_xact_lock_shared(hashtextextended(id::text, 0))
    from (select distinct id from unnest(wanted) as id order by id) codes;
    perform from promo_codes p
    where p.organization_id in (own, platform) and p.id = any (wanted)
      and num_nonnulls(
          p.max_redemptions, p.max_redemptions_per_candidate, p.max_redemptions_per_organization
      ) > 0
    order by p.organization_id, p.id
    for no key update;
    -- A statement of its own, which sees what others have committed while this one waited.
    for code in
        select p.organization_id, p.id from promo_codes p
        where p.organization_id in (own, platform) and p.id = any (wanted)
          and (p.held_count > 0 or p.max_redemptions is null and num_nonnulls(
              p.max_redemptions_per_candidate, p.max_redemptions_per_organization
          ) > 0)
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
        ), shares as (
            update promo_code_shares s set held_count = s.held_count - given.back
            from (select l.organization_id, count(*)::integer as back from lapsed l group by l.organization_id) given
            where s.organization_id = code.organization_id and s.promo_code_id = code.id
              and s.used_by = given.organization_id
        )
        update promo_codes p set held_count = p.held_count - given.back
        from (select count(*)::integer as back from lapsed) given
        where p.organization_id = code.organization_id and p.id = code.id and given.back > 0
          and p.max_redemptions is not null;
    end loop;
    return wanted;
end
$$;
revoke all on function lock_promo_codes(text[], uuid[], timestamptz) from public;
grant execute on function lock_promo_codes(text[], uuid[], timestamptz) to tessera_app;
