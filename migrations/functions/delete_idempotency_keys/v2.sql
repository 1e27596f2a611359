-- Deletes up to `size` old keys of organizations that are not frozen, oldest first; for the platform's jobs only. A key that a
-- request uses again meanwhile is not old any more.
create or replace function delete_idempotency_keys(created_before timestamptz, size integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
declare
    number bigint;
begin
    with old as materialized (
        select k.organization_id, k.caller_id, k.key from idempotency_keys k
        where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
          and k.created_at < created_before
          and not exists (select from organizations o where o.id = k.organization_id and o.frozen_at is not null)
        order by k.created_at limit size
    ), deleted as (
        delete from idempotency_keys k using old
        where k.organization_id = old.organization_id and k.caller_id = old.caller_id and k.key = old.key
          and k.created_at < created_before
        returning 1
    )
    select count(*) into number from deleted;
    return number;
end
$$;
revoke all on function delete_idempotency_keys(timestamptz, integer) from public;
grant execute on function delete_idempotency_keys(timestamptz, integer) to tessera_app;
