-- Answers many callers in one statement: each row is tied to the digest of its caller's key and to the networks of that
-- key, so a caller without the right key learns nothing about an organization. A global code whose uses for this
-- organization are taken has the limit 0. Has two plans, because a plan locks all of its tables at each execution,
-- including those that it never reads: without a product bundle, the tables of bundles and exams stay closed.
create or replace function validate_promo_codes(
    organization_ids uuid[], key_ids uuid[], code_keys text[], bundle_ids uuid[], key_digests bytea[], addresses inet[],
    as_of timestamptz
) returns table (
    asked integer, key_digest bytea, key_expires_at timestamptz, key_revoked_at timestamptz,
    organization_is_active boolean, promo_code_id uuid, status text, starts_at timestamptz, expires_at timestamptz,
    max_redemptions integer, redemption_count integer, held_count integer, discount_percent integer,
    flat_discount numeric, covers_bundle boolean
)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if array_remove(bundle_ids, null) = '{}' then
        return query
    select question.n::integer, k.key_digest, k.expires_at, k.revoked_at, o.is_active, p.id, p.status, p.starts_at,
           p.expires_at, case when share.is_used_up then 0 else p.max_redemptions end, p.redemption_count,
           case when p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions then
               p.held_count
               - (select count(*) from redemptions r where r.promo_code_id = p.id and r.promo_code_owner_id = p.organization_id and r.status = 'Held' and r.held_until <= as_of)::integer
           else p.held_count end,
           p.discount_percent, p.flat_discount, true
    from unnest(organization_ids, key_ids, code_keys, bundle_ids, key_digests, addresses) with ordinality
         as question (organization_id, key_id, code_key, bundle_id, digest, address, n)
    join api_keys k
      on k.organization_id = question.organization_id and k.id = question.key_id and k.key_digest = question.digest
      and (k.networks is null or question.address <<= any (k.networks))
    join organizations o on o.id = question.organization_id
    left join lateral (
        select candidates.* from promo_codes candidates
        where candidates.organization_id
              in (question.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
          and candidates.name_key = question.code_key
        order by candidates.organization_id = question.organization_id desc
        limit 1
    ) p on true
    left join lateral (
        select coalesce(sum(s.redemption_count + s.held_count - case when s.held_count > 0 then (
            select count(*) from redemptions r
            where r.organization_id = s.used_by and r.promo_code_id = p.id and r.promo_code_owner_id = p.organization_id
              and r.status = 'Held' and r.held_until <= as_of
        ) else 0 end), 0) >= p.max_redemptions_per_organization as is_used_up
        from promo_code_shares s
        where s.organization_id = p.organization_id and s.promo_code_id = p.id and s.used_by = question.organization_id
    ) share on p.max_redemptions_per_organization is not null
    ;
    else
        return query
    select question.n::integer, k.key_digest, k.expires_at, k.revoked_at, o.is_active, p.id, p.status, p.starts_at,
           p.expires_at, case when share.is_used_up then 0 else p.max_redemptions end, p.redemption_count,
           case when p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions then
               p.held_count
               - (select count(*) from redemptions r where r.promo_code_id = p.id and r.promo_code_owner_id = p.organization_id and r.status = 'Held' and r.held_until <= as_of)::integer
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

    from unnest(organization_ids, key_ids, code_keys, bundle_ids, key_digests, addresses) with ordinality
         as question (organization_id, key_id, code_key, bundle_id, digest, address, n)
    join api_keys k
      on k.organization_id = question.organization_id and k.id = question.key_id and k.key_digest = question.digest
      and (k.networks is null or question.address <<= any (k.networks))
    join organizations o on o.id = question.organization_id
    left join lateral (
        select candidates.* from promo_codes candidates
        where candidates.organization_id
              in (question.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
          and candidates.name_key = question.code_key
        order by candidates.organization_id = question.organization_id desc
        limit 1
    ) p on true
    left join lateral (
        select coalesce(sum(s.redemption_count + s.held_count - case when s.held_count > 0 then (
            select count(*) from redemptions r
            where r.organization_id = s.used_by and r.promo_code_id = p.id and r.promo_code_owner_id = p.organization_id
              and r.status = 'Held' and r.held_until <= as_of
        ) else 0 end), 0) >= p.max_redemptions_per_organization as is_used_up
        from promo_code_shares s
        where s.organization_id = p.organization_id and s.promo_code_id = p.id and s.used_by = question.organization_id
    ) share on p.max_redemptions_per_organization is not null
    ;
    end if;
end
$$;
revoke all on function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz) from public;
grant execute on function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz) to tessera_app;
