-- For those of the global codes that limit each organization, the uses of the caller's organization, and the time when the
-- first of its holds ends if it has no uses left.
create or replace function find_promo_code_shares(code_ids uuid[], as_of timestamptz)
returns table (promo_code_id uuid, max_redemptions_per_organization integer, uses integer, next_hold_ends_at timestamptz)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    platform constant uuid := '00000000-0000-0000-0000-000000000000';
begin
    return query
    select p.id, p.max_redemptions_per_organization,
           coalesce(s.redemption_count + s.held_count, 0) - coalesce(lapsed.count, 0)::integer, held.until
    from promo_codes p
    left join promo_code_shares s on s.organization_id = platform and s.promo_code_id = p.id and s.used_by = own
    left join lateral (
        select count(*) from redemptions r
        where r.organization_id = own and r.promo_code_id = p.id and r.promo_code_owner_id = platform
          and r.status = 'Held' and r.held_until <= as_of
    ) lapsed on s.held_count > 0
    left join lateral (
        select min(r.held_until) as until from redemptions r
        where r.organization_id = own and r.promo_code_id = p.id and r.promo_code_owner_id = platform
          and r.status = 'Held' and r.held_until > as_of
    ) held on s.held_count > 0 and s.redemption_count + s.held_count >= p.max_redemptions_per_organization
    where p.organization_id = platform and p.id = any (code_ids) and p.max_redemptions_per_organization is not null;
end
$$;
revoke all on function find_promo_code_shares(uuid[], timestamptz) from public;
grant execute on function find_promo_code_shares(uuid[], timestamptz) to tessera_app;
