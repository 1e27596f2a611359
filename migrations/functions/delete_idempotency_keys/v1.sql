-- Deletes the old keys of all organizations; for the platform's jobs only.
create or replace function delete_idempotency_keys(created_before timestamptz) returns bigint
language sql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
    with deleted as (
        delete from idempotency_keys
        where current_setting('app.organization_id', true) = '00000000-0000-0000-0000-000000000000'
          and created_at < created_before
        returning 1
    )
    select count(*) from deleted
$$;
revoke all on function delete_idempotency_keys(timestamptz) from public;
grant execute on function delete_idempotency_keys(timestamptz) to tessera_app;
