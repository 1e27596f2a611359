-- Only the platform's administration may see that other organizations exist.
create or replace function list_organizations() returns setof organizations
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select * from organizations
    where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
    order by id
$$;
revoke all on function list_organizations() from public;
grant execute on function list_organizations() to tessera_app;
