-- What the ledgers of all organizations, and the uses that were dropped from them, say about global codes; for the platform
-- only. The setting shows them on several nodes, where it acts as its caller.
create or replace function sum_ledger_by_organization(code_ids uuid[])
returns table (promo_code_id uuid, used_by uuid, redeemed integer, held integer)
language plpgsql volatile security definer set search_path = pg_catalog, public, pg_temp
as $$
begin
    if current_setting('app.organization_id', true) is distinct from '00000000-0000-0000-0000-000000000000' then
        return;
    end if;
    set local app.uses_of_global_codes = 'visible';
    return query
    select u.promo_code_id, u.used_by, sum(u.redeemed)::integer, sum(u.held)::integer
    from (
        select l.promo_code_id, l.organization_id as used_by, l.redeemed_change as redeemed, l.held_change as held
        from redemption_ledger l
        where l.promo_code_owner_id = '00000000-0000-0000-0000-000000000000' and l.promo_code_id = any (code_ids)
        union all
        select d.used_id, d.organization_id, d.redeemed, 0 from dropped_uses d
        where d.owner_id = '00000000-0000-0000-0000-000000000000' and d.used_id = any (code_ids)
    ) u
    group by u.promo_code_id, u.used_by;
    set local app.uses_of_global_codes = '';
end
$$;
revoke all on function sum_ledger_by_organization(uuid[]) from public;
grant execute on function sum_ledger_by_organization(uuid[]) to tessera_app;
