-- Lets this transaction change an organization, which cannot be frozen meanwhile; if it is frozen, the transaction becomes
-- read-only. Each statement of the function sees what was committed before it, so a second check comes after the lock. The
-- first one keeps readers of a frozen organization from the lock, for which its freezing may still wait.
create or replace function hold_organization(wanted_id uuid) returns void
language plpgsql
as $$
begin
    if not exists (select from organizations where id = wanted_id and frozen_at is not null) then
        perform pg_advisory_xact_lock_shared(hashtextextended(wanted_id::text, 0));
        if not exists (select from organizations where id = wanted_id and frozen_at is not null) then
            return;
        end if;
    end if;
    perform set_config('transaction_read_only', 'on', true);
end
$$;
revoke all on function hold_organization(uuid) from public;
grant execute on function hold_organization(uuid) to tessera_app;
