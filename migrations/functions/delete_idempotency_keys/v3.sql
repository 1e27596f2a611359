-- Deletes up to `size` keys from `created_from` on and before `created_before`, of organizations that are not frozen, oldest
-- first; for the platform's jobs only. A key that a request uses again meanwhile is not old any more. Returns their times. The
-- next call goes on from the last one, so that it does not read the keys of frozen organizations again.
create or replace function delete_idempotency_keys(created_from timestamptz, created_before timestamptz, size integer)
returns setof timestamptz
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    return query
    with old as materialized (
        select k.organization_id, k.caller_id, k.key from idempotency_keys k
        where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
          and k.created_at >= created_from and k.created_at < created_before
          and not exists (select from organizations o where o.id = k.organization_id and o.frozen_at is not null)
        order by k.created_at limit size
    ), deleted as (
        delete from idempotency_keys k using old
        where k.organization_id = old.organization_id and k.caller_id = old.caller_id and k.key = old.key
          and k.created_at < created_before
        returning k.created_at
    )
    select d.created_at from deleted d;
end
$$;
revoke all on function delete_idempotency_keys(timestamptz, timestamptz, integer) from public;
grant execute on function delete_idempotency_keys(timestamptz, timestamptz, integer) to tessera_app;
