-- The holds whose deadline has passed, of all organizations that are not frozen; for the platform's jobs only.
create or replace function list_lapsed_holds(as_of timestamptz) returns table (organization_id uuid, redemption_id uuid)
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        return query
        select r.organization_id, r.id from redemptions r
        where r.status = 'Held' and r.held_until <= as_of
          and not exists (select from organizations o where o.id = r.organization_id and o.frozen_at is not null)
        order by r.held_until
        limit 10000;
    end if;
end
$$;
revoke all on function list_lapsed_holds(timestamptz) from public;
grant execute on function list_lapsed_holds(timestamptz) to tessera_app;
