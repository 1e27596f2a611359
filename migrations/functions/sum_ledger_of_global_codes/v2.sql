-- What the ledgers of all organizations say about global codes; for the platform only. The setting shows them on several nodes,
-- where it acts as its caller.
create or replace function sum_ledger_of_global_codes()
returns table (promo_code_id uuid, redeemed bigint, held bigint)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) is distinct from '00000000-0000-0000-0000-000000000000' then
        return;
    end if;
    set local app.uses_of_global_codes = 'visible';
    return query
    select l.promo_code_id, sum(l.redeemed_change), sum(l.held_change) from redemption_ledger l
    where l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
    group by l.promo_code_id;
    set local app.uses_of_global_codes = '';
end
$$;
revoke all on function sum_ledger_of_global_codes() from public;
grant execute on function sum_ledger_of_global_codes() to tessera_app;
