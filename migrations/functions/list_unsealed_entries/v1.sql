-- The number of entries of each organization's audit log without a seal, up to 100,000, and the time of the oldest; for
-- the platform only.
create or replace function list_unsealed_entries()
returns table (organization_id uuid, entries bigint, oldest_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select organizations.organization_id, counted.entries, oldest.at
    from (
        select distinct u.organization_id from audit_unsealed u
        where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
    ) as organizations
    cross join lateral (
        select count(*) as entries from (
            select from audit_unsealed u where u.organization_id = organizations.organization_id limit 100000
        ) as capped
    ) as counted
    cross join lateral (
        select e.at from audit_unsealed u
        join audit_entries e on e.organization_id = u.organization_id and e.id = u.entry_id
        where u.organization_id = organizations.organization_id
        order by u.entry_id limit 1
    ) as oldest
    order by organizations.organization_id
$$;
revoke all on function list_unsealed_entries() from public;
grant execute on function list_unsealed_entries() to tessera_app;
