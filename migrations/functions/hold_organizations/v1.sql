-- Those of the organizations that are not frozen, and that cannot be frozen until this transaction ends; for the platform.
create or replace function hold_organizations(organization_ids uuid[]) returns setof uuid
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        perform pg_advisory_xact_lock_shared(hashtextextended(held::text, 0)) from unnest(organization_ids) as held;
        return query select id from organizations where id = any (organization_ids) and frozen_at is null;
    end if;
end
$$;
revoke all on function hold_organizations(uuid[]) from public;
grant execute on function hold_organizations(uuid[]) to tessera_app;
