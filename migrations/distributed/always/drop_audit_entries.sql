-- On one Postgres only the owner of this function may delete entries. A node accepts the writes of one transaction from one role
-- only, and what follows this function adds an entry to the log. So here the application deletes, and its policies let it do so only
-- under a setting, which only this function makes.
create or replace function drop_audit_entries(last_position bigint, as_of timestamptz) returns bigint
language plpgsql volatile security invoker set search_path = pg_catalog, public, pg_temp
as $$
declare
    own constant uuid := nullif(current_setting('app.organization_id', true), '')::uuid;
    kept_since timestamptz;
    dropped bigint;
begin
    select least(as_of, now()) - s.audit_after_months * interval '31 days' into kept_since
    from retention_settings s where s.organization_id = own;
    if kept_since is null
        or not exists (select from audit_seals a where a.organization_id = own and a.position > last_position)
        or exists (
            select from audit_seals a join audit_entries e on e.organization_id = own and e.id = a.entry_id
            where a.organization_id = own and a.position <= last_position and e.at >= kept_since
        )
    then
        raise exception 'the retention of the organization keeps these entries';
    end if;
    set local app.drops_entries = 'yes';
    insert into audit_stubs (organization_id, position, digest, dropped_at)
    select own, a.position, a.digest, as_of from audit_seals a
    where a.organization_id = own and a.position = last_position
    on conflict (organization_id) do update
    set position = excluded.position, digest = excluded.digest, dropped_at = excluded.dropped_at;
    with seals as (
        delete from audit_seals a where a.organization_id = own and a.position <= last_position returning a.entry_id
    ), personal_values as (
        delete from audit_values v where v.organization_id = own and v.entry_id = any (array(select entry_id from seals))
        returning 1
    ), entries as (
        delete from audit_entries e where e.organization_id = own and e.id = any (array(select entry_id from seals))
        returning e.id
    )
    select count(*) into dropped from entries;
    set local app.drops_entries = '';
    return dropped;
end
$$;
revoke all on function drop_audit_entries(bigint, timestamptz) from public;
grant execute on function drop_audit_entries(bigint, timestamptz) to tessera_app;
