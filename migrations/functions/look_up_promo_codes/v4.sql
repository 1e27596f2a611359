-- Answers many questions in one call. It pins the platform to look for global codes, because it acts as its caller on several
-- nodes. The statement on own codes names one organization, so that it runs on one node. The uses of a candidate include those
-- under the tombstone of a person who was erased (persons/erasures/rules.py makes the same).
create or replace function look_up_promo_codes(
    code_keys text[], exam_ids uuid[], bundle_ids uuid[], email_keys text[], person_ids text[], as_of timestamptz
) returns table (
    asked integer, owner_id uuid, promo_code_id uuid, name text, status text, starts_at timestamptz,
    expires_at timestamptz, max_redemptions integer, max_redemptions_per_candidate integer, redemption_count integer,
    held_count integer, next_hold_ends_at timestamptz, candidate_uses integer, candidate_hold_ends_at timestamptz,
    discount_percent integer, flat_discount numeric, covers_product boolean, restrict_to_email_addresses boolean,
    lists_candidate boolean, discount_base numeric, is_combinable boolean, has_voucher boolean
)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    voucher_codes constant text[] := array(
        select upper(code_key collate "C") from unnest(code_keys) with ordinality as question (code_key, n) order by n
    );
    own_keys constant text[] := array(
        select p.name_key from promo_codes p where p.organization_id = own and p.name_key = any (code_keys)
    );
    global_keys text[];
begin
    if own_keys <> '{}' then
        return query
        select question.n::integer, own, p.id, p.name, p.status, p.starts_at, p.expires_at,
               p.max_redemptions, p.max_redemptions_per_candidate, p.redemption_count,
               p.held_count - coalesce(lapsed.count, 0)::integer,
               held.until, of_candidate.uses::integer, of_candidate.until, p.discount_percent, p.flat_discount,
               not (p.has_store_exams or p.has_product_bundles) or bundles.are_named or exams.price is not null,
               p.restrict_to_email_addresses,
               p.restrict_to_email_addresses and question.email_key is not null and exists (
                   select from promo_code_email_addresses a
                   where a.organization_id = own and a.promo_code_id = p.id and a.email_key = question.email_key
               ),
               case when question.bundle_id is not null and not bundles.are_named then exams.price end,
               coalesce(p.is_combinable, false),
               exists (select from vouchers v where v.organization_id = own and v.code = question.voucher_code)
        from unnest(code_keys, exam_ids, bundle_ids, email_keys, person_ids, voucher_codes) with ordinality
             as question (code_key, exam_id, bundle_id, email_key, person_id, voucher_code, n)
        cross join lateral (
            select c.* from promo_codes c where c.organization_id = own and c.name_key = question.code_key limit 1
        ) p
        cross join lateral (
            select question.bundle_id is not null and p.has_product_bundles and exists (
                select from promo_code_product_bundles b
                where b.organization_id = own and b.promo_code_id = p.id and b.product_bundle_id = question.bundle_id
            ) as are_named
        ) bundles
        left join lateral (
            select sum(sold.price) as price from store_exams sold
            join promo_code_store_exams e
              on e.organization_id = own and e.promo_code_id = p.id and e.store_exam_id = sold.id
            where sold.organization_id = own and sold.id = any (question.exam_id || array(
                select contained.store_exam_id from product_bundle_store_exams contained
                where contained.organization_id = own and contained.product_bundle_id = question.bundle_id
            ))
        ) exams on p.has_store_exams
        left join lateral (
            select count(*) from redemptions r
            where r.organization_id = own and r.promo_code_id = p.id and r.promo_code_owner_id = own
              and r.status = 'Held' and r.held_until <= as_of
        ) lapsed on p.held_count > 0
        left join lateral (
            select min(r.held_until) as until from redemptions r
            where r.organization_id = own and r.promo_code_id = p.id and r.promo_code_owner_id = own
              and r.status = 'Held' and r.held_until > as_of
        ) held on p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions
        left join lateral (
            select count(*) as uses, min(r.held_until) filter (where r.status = 'Held') as until
            from redemptions r
            where r.organization_id = own and r.promo_code_id = p.id
              and r.person_id = any (array[question.person_id, (
                  select 'erased-' || left(encode(sha256(k.key || convert_to(question.person_id, 'UTF8')), 'hex'), 32)
                  from erasure_keys k where k.organization_id = own
              )])
              and r.status in ('Held', 'Redeemed') and (r.status = 'Redeemed' or r.held_until > as_of)
        ) of_candidate on p.max_redemptions_per_candidate is not null and question.person_id is not null;
    end if;
    if own is null or own = platform or code_keys <@ own_keys then
        return;
    end if;
    set local app.organization_id = '00000000-0000-0000-0000-000000000000';
    global_keys := array(
        select p.name_key from promo_codes p
        where p.organization_id = platform and p.name_key = any (code_keys) and p.name_key <> all (own_keys)
    );
    execute format('set local app.organization_id = %L', own);
    for n in 1 .. cardinality(code_keys) loop
        if code_keys[n] = any (global_keys) then
            return query
            select n, g.* from look_up_global_promo_code(
                code_keys[n], exam_ids[n], bundle_ids[n], email_keys[n], person_ids[n], as_of
            ) g;
        end if;
    end loop;
end
$$;
revoke all on function look_up_promo_codes(text[], uuid[], uuid[], text[], text[], timestamptz) from public;
grant execute on function look_up_promo_codes(text[], uuid[], uuid[], text[], text[], timestamptz) to tessera_app;
