-- None, because workers of a release that calls this function would leave the totals of global codes out of a day.
create or replace function list_unrolled_organizations(closed_until date) returns setof uuid
language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
    select id from organizations where false
$$;
revoke all on function list_unrolled_organizations(date) from public;
grant execute on function list_unrolled_organizations(date) to tessera_app;
