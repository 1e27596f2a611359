-- Deletes rows of a table, of a frozen organization whose deletion has begun, and returns their number; for the platform only. The
-- application may not delete rows of every table itself.
create or replace function delete_organization_rows(wanted_id uuid, wanted_table text, at_most integer) returns integer
language plpgsql security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    deleted integer := 0;
begin
    if current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000' and exists (
        select from organization_deletions d join organizations o on o.id = d.organization_id
        where d.organization_id = wanted_id and d.begun_at is not null
          and o.frozen_at is not null and not o.is_active
    ) then
        execute format(
            'with deleted as (delete from %1$I where organization_id = $1 and ctid = any (array('
            'select ctid from %1$I where organization_id = $1 limit $2)) returning 1) select count(*) from deleted',
            wanted_table
        ) into deleted using wanted_id, at_most;
    end if;
    return deleted;
end
$$;
revoke all on function delete_organization_rows(uuid, text, integer) from public;
grant execute on function delete_organization_rows(uuid, text, integer) to tessera_app;
