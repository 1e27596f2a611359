-- For the pinned organization only. Global codes are rows of the platform, which row-level security hides from every
-- other tenant.
create or replace function find_promo_codes_for_storefront(code_keys text[], exam_id uuid, bundle_id uuid, candidate_email_key text)
returns table (
    code_key text, promo_code_id uuid, name text, status text, expires_at timestamptz, max_redemptions integer,
    redemption_count integer, discount_percent integer, flat_discount numeric, covers_product boolean,
    restrict_to_email_addresses boolean, lists_candidate boolean
)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
begin
    return query
    select asked.code_key, p.id, p.name, p.status, p.expires_at, p.max_redemptions, p.redemption_count,
           p.discount_percent, p.flat_discount,
           not (p.has_store_exams or p.has_product_bundles)
           or bundle_id is not null and p.has_product_bundles and exists (
               select from promo_code_product_bundles b
               where b.organization_id = p.organization_id and b.promo_code_id = p.id and b.product_bundle_id = bundle_id
           )
           or p.has_store_exams and exists (
               select from store_exams sold
               join store_exams named
                 on named.organization_id = p.organization_id and named.code_key = sold.code_key
               join promo_code_store_exams e
                 on e.organization_id = p.organization_id and e.promo_code_id = p.id and e.store_exam_id = named.id
               where sold.organization_id = own
                 and (sold.id = exam_id or sold.id in (
                     select contained.store_exam_id from product_bundle_store_exams contained
                     where contained.organization_id = own and contained.product_bundle_id = bundle_id
                 ))
           ),
           p.restrict_to_email_addresses,
           p.restrict_to_email_addresses and candidate_email_key is not null and exists (
               select from promo_code_email_addresses a
               where a.organization_id = p.organization_id and a.promo_code_id = p.id
                 and a.email_key = candidate_email_key
           )
    from unnest(code_keys) as asked (code_key)
    join lateral (
        select candidates.* from promo_codes candidates
        where candidates.organization_id in (own, platform) and candidates.name_key = asked.code_key
        order by candidates.organization_id = own desc
        limit 1
    ) p on true;
end
$$;
revoke all on function find_promo_codes_for_storefront(text[], uuid, uuid, text) from public;
grant execute on function find_promo_codes_for_storefront(text[], uuid, uuid, text) to tessera_app;
