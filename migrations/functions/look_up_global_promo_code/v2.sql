-- The answer of look_up_promo_codes to one question for a global code. It pins the platform for what belongs to the
-- code, because it acts as its caller on several nodes; each statement names one organization. The uses of a candidate include
-- those under the tombstone of a person who was erased (persons/erasures/rules.py makes the same).
create or replace function look_up_global_promo_code(
    code_key text, exam_id uuid, bundle_id uuid, email_key text, person_id text, as_of timestamptz
) returns table (
    owner_id uuid, promo_code_id uuid, name text, status text, starts_at timestamptz, expires_at timestamptz,
    max_redemptions integer, max_redemptions_per_candidate integer, redemption_count integer, held_count integer,
    next_hold_ends_at timestamptz, candidate_uses integer, candidate_hold_ends_at timestamptz,
    discount_percent integer, flat_discount numeric, covers_product boolean, restrict_to_email_addresses boolean,
    lists_candidate boolean, discount_base numeric, is_combinable boolean, has_voucher boolean
)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    voucher_code constant text := upper(code_key collate "C");
    sold record;
    code promo_codes;
    names_bundle boolean := false;
    lapsed integer := 0;
begin
    if own is null then
        return;
    end if;
    select coalesce(array_agg(e.code_key), '{}') as keys, coalesce(array_agg(e.price), '{}') as prices into sold
    from store_exams e
    where e.organization_id = own and e.id = any (exam_id || array(
        select contained.store_exam_id from product_bundle_store_exams contained
        where contained.organization_id = own and contained.product_bundle_id = bundle_id
    ));
    perform from vouchers v where v.organization_id = own and v.code = voucher_code;
    has_voucher := found;

    set local app.organization_id = '00000000-0000-0000-0000-000000000000';
    select c.* into code from promo_codes c where c.organization_id = platform and c.name_key = code_key;
    if code.has_product_bundles and bundle_id is not null then
        perform from promo_code_product_bundles b
        where b.organization_id = platform and b.promo_code_id = code.id and b.product_bundle_id = bundle_id;
        names_bundle := found;
    end if;
    if code.has_store_exams then
        select sum(exam.price) into discount_base
        from unnest(sold.keys, sold.prices) as exam (code_key, price)
        join store_exams named on named.organization_id = platform and named.code_key = exam.code_key
        join promo_code_store_exams e
          on e.organization_id = platform and e.promo_code_id = code.id and e.store_exam_id = named.id;
    end if;
    lists_candidate := false;
    if code.restrict_to_email_addresses and email_key is not null then
        perform from promo_code_email_addresses a
        where a.organization_id = platform and a.promo_code_id = code.id
          and a.email_key = look_up_global_promo_code.email_key;
        lists_candidate := found;
    end if;
    if code.held_count > 0 then
        select h.lapsed, h.next_hold_ends_at into lapsed, next_hold_ends_at from sum_holds_of_global_code(code.id, as_of) h;
        if (code.redemption_count + code.held_count >= code.max_redemptions) is not true then
            next_hold_ends_at := null;
        end if;
    end if;
    execute format('set local app.organization_id = %L', own);

    if code.max_redemptions_per_candidate is not null and person_id is not null then
        select count(*), min(r.held_until) filter (where r.status = 'Held') into candidate_uses, candidate_hold_ends_at
        from redemptions r
        where r.organization_id = own and r.promo_code_id = code.id
          and r.person_id = any (array[look_up_global_promo_code.person_id, (
              select 'erased-' || left(
                  encode(sha256(k.key || convert_to(look_up_global_promo_code.person_id, 'UTF8')), 'hex'), 32
              )
              from erasure_keys k where k.organization_id = own
          )])
          and r.status in ('Held', 'Redeemed') and (r.status = 'Redeemed' or r.held_until > as_of);
    end if;
    if code.id is null then
        return;
    end if;
    owner_id := platform;
    promo_code_id := code.id;
    name := code.name;
    status := code.status;
    starts_at := code.starts_at;
    expires_at := code.expires_at;
    max_redemptions := code.max_redemptions;
    max_redemptions_per_candidate := code.max_redemptions_per_candidate;
    redemption_count := code.redemption_count;
    held_count := code.held_count - lapsed;
    discount_percent := code.discount_percent;
    flat_discount := code.flat_discount;
    covers_product := not (code.has_store_exams or code.has_product_bundles) or names_bundle
                      or discount_base is not null;
    restrict_to_email_addresses := code.restrict_to_email_addresses;
    is_combinable := coalesce(code.is_combinable, false);
    if bundle_id is null or names_bundle then
        discount_base := null;
    end if;
    return next;
end
$$;
revoke all on function look_up_global_promo_code(text, uuid, uuid, text, text, timestamptz) from public;
grant execute on function look_up_global_promo_code(text, uuid, uuid, text, text, timestamptz) to tessera_app;
