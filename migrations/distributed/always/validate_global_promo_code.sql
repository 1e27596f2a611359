-- The answer of validate_promo_codes to one question for a global code; none if the key is not that of a caller, or if the
-- organization has a code of this name. A code whose uses for this organization are taken has the limit 0. Each statement but
-- that on holds names one organization.
create or replace function validate_global_promo_code(
    caller_organization_id uuid, key_id uuid, code_key text, bundle_id uuid, digest bytea, address inet,
    as_of timestamptz
) returns table (
    key_digest bytea, key_expires_at timestamptz, key_revoked_at timestamptz, organization_is_active boolean,
    promo_code_id uuid, status text, starts_at timestamptz, expires_at timestamptz, max_redemptions integer,
    redemption_count integer, held_count integer, discount_percent integer, flat_discount numeric, covers_bundle boolean
)
language plpgsql stable security invoker
as $$
declare
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
    code promo_codes;
    share promo_code_shares;
    lapsed integer := 0;
    contained_keys text[];
begin
    select k.key_digest, k.expires_at, k.revoked_at, o.is_active
    into key_digest, key_expires_at, key_revoked_at, organization_is_active
    from api_keys k join organizations o on o.id = k.organization_id
    where k.organization_id = caller_organization_id and k.id = key_id and k.key_digest = digest
      and (k.networks is null or address <<= any (k.networks));
    if not found then
        return;
    end if;
    perform from promo_codes p where p.organization_id = caller_organization_id and p.name_key = code_key;
    if found then
        return;
    end if;
    select p.* into code from promo_codes p where p.organization_id = platform and p.name_key = code_key;
    max_redemptions := code.max_redemptions;
    if code.max_redemptions_per_organization is not null then
        select s.* into share from promo_code_shares s
        where s.organization_id = platform and s.promo_code_id = code.id and s.used_by = caller_organization_id;
        if share.held_count > 0 then
            select count(*) into lapsed from redemptions r
            where r.organization_id = caller_organization_id and r.promo_code_id = code.id
              and r.promo_code_owner_id = platform and r.status = 'Held' and r.held_until <= as_of;
        end if;
        if share.redemption_count + share.held_count - lapsed >= code.max_redemptions_per_organization then
            max_redemptions := 0;
        end if;
    end if;
    held_count := code.held_count;
    if code.held_count > 0 and code.redemption_count + code.held_count >= code.max_redemptions then
        select code.held_count - count(*) into held_count from redemptions r
        where r.promo_code_id = code.id and r.promo_code_owner_id = platform
          and r.status = 'Held' and r.held_until <= as_of;
    end if;
    covers_bundle := bundle_id is null or not (code.has_store_exams or code.has_product_bundles);
    if not covers_bundle and code.has_product_bundles then
        perform from promo_code_product_bundles b
        where b.organization_id = platform and b.promo_code_id = code.id and b.product_bundle_id = bundle_id;
        covers_bundle := found;
    end if;
    if not covers_bundle and code.has_store_exams then
        contained_keys := array(
            select sold.code_key from product_bundle_store_exams contained
            join store_exams sold
              on sold.organization_id = caller_organization_id and sold.id = contained.store_exam_id
            where contained.organization_id = caller_organization_id and contained.product_bundle_id = bundle_id
        );
        perform from store_exams named
        join promo_code_store_exams e
          on e.organization_id = platform and e.promo_code_id = code.id and e.store_exam_id = named.id
        where named.organization_id = platform and named.code_key = any (contained_keys);
        covers_bundle := found;
    end if;
    promo_code_id := code.id;
    status := code.status;
    starts_at := code.starts_at;
    expires_at := code.expires_at;
    redemption_count := code.redemption_count;
    discount_percent := code.discount_percent;
    flat_discount := code.flat_discount;
    return next;
end
$$;
-- Only validate_promo_codes calls it, as its owner.
revoke all on function validate_global_promo_code(uuid, uuid, text, uuid, bytea, inet, timestamptz) from public;
