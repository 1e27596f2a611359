-- The organizations with this id or this name, each found by its index; for the platform only.
create or replace function find_organizations(wanted_id uuid, wanted_name text) returns setof organizations
language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' then
        return query select * from organizations where id = wanted_id;
        return query select * from organizations where name_key = lower(wanted_name) and id is distinct from wanted_id;
    end if;
end
$$;
revoke all on function find_organizations(uuid, text) from public;
grant execute on function find_organizations(uuid, text) to tessera_app;
