-- What the ledgers of all organizations, and the uses that were dropped from them, say about global codes; for the platform
-- only. The setting shows them on several nodes, where it acts as its caller.
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
    select u.promo_code_id, sum(u.redeemed), sum(u.held)
    from (
        select l.promo_code_id, l.redeemed_change as redeemed, l.held_change as held
        from redemption_ledger l
        where l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000'
        union all
        select d.used_id, d.redeemed, 0 from dropped_uses d
        where d.owner_id = '00000000-0000-0000-0000-000000000000'
    ) u
    group by u.promo_code_id;
    set local app.uses_of_global_codes = '';
end
$$;
revoke all on function sum_ledger_of_global_codes() from public;
grant execute on function sum_ledger_of_global_codes() to tessera_app;
