-- Lets this transaction change an organization, which cannot be frozen meanwhile; if it is frozen, the transaction becomes
-- read-only. Each statement of the function sees what was committed before it, so the check comes after the lock.
create or replace function hold_organization(wanted_id uuid) returns void
language plpgsql
as $$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended(wanted_id::text, 0));
    perform from organizations where id = wanted_id and frozen_at is not null;
    if found then
        perform set_config('transaction_read_only', 'on', true);
    end if;
end
$$;
revoke all on function hold_organization(uuid) from public;
grant execute on function hold_organization(uuid) to tessera_app;
