-- The organizations whose audit log has entries without a seal; for the platform's jobs only.
create or replace function list_unsealed_organizations() returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select distinct organization_id from audit_unsealed
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
    order by organization_id
$$;
revoke all on function list_unsealed_organizations() from public;
grant execute on function list_unsealed_organizations() to tessera_app;
