-- Replaces the function of one Postgres, where one statement for all organizations takes half of the time that this one takes for
-- sixteen. Answers many callers in one call, with one statement for each organization, so that a distributed engine runs it on one node:
-- each row is tied to the digest of its caller's key and to the networks of that key, so a caller without the right key learns
-- nothing about an organization. Has two plans, because a plan locks all of its tables at each execution, including those that
-- it never reads: without a product bundle, the tables of bundles and exams stay closed.
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
declare
    has_bundles constant boolean := array_remove(bundle_ids, null) <> '{}';
    global_keys constant text[] := array(
        select p.name_key from promo_codes p
        where p.organization_id = '00000000-0000-0000-0000-000000000000' and p.name_key = any (code_keys)
    );
    part record;
begin
    for part in
        select q.organization_id, array_agg(q.n) as ns, array_agg(q.key_id) as key_ids,
               array_agg(q.code_key) as code_keys, array_agg(q.bundle_id) as bundle_ids,
               array_agg(q.digest) as digests, array_agg(q.address) as addresses
        from unnest(organization_ids, key_ids, code_keys, bundle_ids, key_digests, addresses) with ordinality
             as q (organization_id, key_id, code_key, bundle_id, digest, address, n)
        group by q.organization_id
    loop
        if has_bundles then
            return query
            select question.n::integer, k.key_digest, k.expires_at, k.revoked_at, o.is_active, p.id, p.status, p.starts_at,
                   p.expires_at, p.max_redemptions, p.redemption_count,
                   case when p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions then
                       p.held_count - (
                           select count(*) from redemptions r
                           where r.organization_id = part.organization_id and r.promo_code_id = p.id
                             and r.promo_code_owner_id = part.organization_id
                             and r.status = 'Held' and r.held_until <= as_of
                       )::integer
                   else p.held_count end,
                   p.discount_percent, p.flat_discount,
                   question.bundle_id is null
                   or not (p.has_store_exams or p.has_product_bundles)
                   or p.has_product_bundles and exists (
                       select from promo_code_product_bundles b
                       where b.organization_id = part.organization_id and b.promo_code_id = p.id
                         and b.product_bundle_id = question.bundle_id
                   )
                   or p.has_store_exams and exists (
                       select from product_bundle_store_exams contained
                       join promo_code_store_exams e
                         on e.organization_id = part.organization_id and e.promo_code_id = p.id
                         and e.store_exam_id = contained.store_exam_id
                       where contained.organization_id = part.organization_id
                         and contained.product_bundle_id = question.bundle_id
                   )
            from unnest(part.ns, part.key_ids, part.code_keys, part.bundle_ids, part.digests, part.addresses)
                 as question (n, key_id, code_key, bundle_id, digest, address)
            join api_keys k
              on k.organization_id = part.organization_id and k.id = question.key_id and k.key_digest = question.digest
              and (k.networks is null or question.address <<= any (k.networks))
            join organizations o on o.id = part.organization_id
            left join lateral (
                select c.* from promo_codes c
                where c.organization_id = part.organization_id and c.name_key = question.code_key
                limit 1
            ) p on true
            where p.id is not null or (question.code_key = any (global_keys)) is not true;
        else
            return query
            select question.n::integer, k.key_digest, k.expires_at, k.revoked_at, o.is_active, p.id, p.status, p.starts_at,
                   p.expires_at, p.max_redemptions, p.redemption_count,
                   case when p.held_count > 0 and p.redemption_count + p.held_count >= p.max_redemptions then
                       p.held_count - (
                           select count(*) from redemptions r
                           where r.organization_id = part.organization_id and r.promo_code_id = p.id
                             and r.promo_code_owner_id = part.organization_id
                             and r.status = 'Held' and r.held_until <= as_of
                       )::integer
                   else p.held_count end,
                   p.discount_percent, p.flat_discount, true
            from unnest(part.ns, part.key_ids, part.code_keys, part.bundle_ids, part.digests, part.addresses)
                 as question (n, key_id, code_key, bundle_id, digest, address)
            join api_keys k
              on k.organization_id = part.organization_id and k.id = question.key_id and k.key_digest = question.digest
              and (k.networks is null or question.address <<= any (k.networks))
            join organizations o on o.id = part.organization_id
            left join lateral (
                select c.* from promo_codes c
                where c.organization_id = part.organization_id and c.name_key = question.code_key
                limit 1
            ) p on true
            where p.id is not null or (question.code_key = any (global_keys)) is not true;
        end if;
    end loop;
    if global_keys <> '{}' then
        for n in 1 .. cardinality(code_keys) loop
            if code_keys[n] = any (global_keys) then
                return query
                select n, g.* from validate_global_promo_code(
                    organization_ids[n], key_ids[n], code_keys[n], bundle_ids[n], key_digests[n], addresses[n], as_of
                ) g;
            end if;
        end loop;
    end if;
end
$$;
revoke all on function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz) from public;
grant execute on function validate_promo_codes(uuid[], uuid[], text[], uuid[], bytea[], inet[], timestamptz) to tessera_app;
